"""vedit: restyle video under a new prompt; timing, sound and camera path stay.

The names below load on first use (PEP 562), so that `import vedit` costs nothing and does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vedit.api import plan as plan
    from vedit.api import preview as preview
    from vedit.api import restyle as restyle
    from vedit.control_maps.run import check_controls as check_controls
    from vedit.control_maps.run import controls as controls
    from vedit.edits.edit import Edit as Edit
    from vedit.edits.run import edit as edit
    from vedit.errors import VeditError as VeditError
    from vedit.evaluation.report import Report as Report
    from vedit.evaluation.run import compare as compare
    from vedit.evaluation.run import evaluate as evaluate
    from vedit.masks.run import mask as mask
    from vedit.media.output import OutputOptions as OutputOptions
    from vedit.media.reading.read import probe as probe
    from vedit.nle.run import timeline as timeline
    from vedit.options.request import RenderRequest as RenderRequest
    from vedit.options.request import RestyleOptions as RestyleOptions
    from vedit.session.shots import Preview as Preview
    from vedit.session.video import Video as Video
    from vedit.session.video import open_video as open_video
    from vedit.shots.detect import detect_shots as detect_shots
    from vedit.types import Clip as Clip
    from vedit.types import ControlSpec as ControlSpec
    from vedit.types import FrameRange as FrameRange
    from vedit.types import Shot as Shot
    from vedit.types import VideoMetadata as VideoMetadata

__version__ = "0.1.0"

_HOMES = {
    "Clip": "vedit.types",
    "ControlSpec": "vedit.types",
    "Edit": "vedit.edits.edit",
    "FrameRange": "vedit.types",
    "OutputOptions": "vedit.media.output",
    "Preview": "vedit.session.shots",
    "RenderRequest": "vedit.options.request",
    "Report": "vedit.evaluation.report",
    "RestyleOptions": "vedit.options.request",
    "Shot": "vedit.types",
    "VeditError": "vedit.errors",
    "Video": "vedit.session.video",
    "VideoMetadata": "vedit.types",
    "check_controls": "vedit.control_maps.run",
    "compare": "vedit.evaluation.run",
    "controls": "vedit.control_maps.run",
    "detect_shots": "vedit.shots.detect",
    "edit": "vedit.edits.run",
    "evaluate": "vedit.evaluation.run",
    "mask": "vedit.masks.run",
    "open_video": "vedit.session.video",
    "plan": "vedit.api",
    "preview": "vedit.api",
    "probe": "vedit.media.reading.read",
    "restyle": "vedit.api",
    "timeline": "vedit.nle.run",
}

__all__ = [*_HOMES, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'vedit' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
