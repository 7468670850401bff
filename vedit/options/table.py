"""The one table of settings: of every dataclass that holds some, from the metadata of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vedit.checks.bounds import Bound
from vedit.checks.setting import Setting, bounds_of, settings_of
from vedit.media.output import OutputOptions
from vedit.options.masks import MaskSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.source import SourceOptions
from vedit.types import CONTROL_BOUNDS, ControlSpec

HOLDERS = (RestyleOptions, ControlSpec, MaskSpec, RenderRequest, SourceOptions, OutputOptions)
"""Whatever holds settings of a render, in the order of the help."""
BOUNDS: Mapping[str, Bound] = MappingProxyType(
    {
        **bounds_of(RestyleOptions),
        **bounds_of(MaskSpec),
        **{f"control {name}": bound for name, bound in CONTROL_BOUNDS.items()},
    }
)
"""Name of a setting -> what it may be: for Python, the command line and plan files alike."""


def setting_of(options: type, name: str) -> Setting:
    """A setting by the name of its field. Raises KeyError where there is none of this name."""
    return {one.name: one for one in settings_of(options)}[name]
