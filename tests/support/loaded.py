"""The embedded model, loaded once for tests that render many times."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from vedit.models import load
from vedit.models.families.sd import Model


def load_once(name: str, *, device: str, controls: tuple[str, ...], controlnets: Mapping[str, str]) -> Model:
    """In place of `vedit.models.load`: the embedded model, under whatever name it goes."""
    assert not controlnets
    return _loaded(device, controls)


@cache
def _loaded(device: str, controls: tuple[str, ...]) -> Model:
    return load("embedded", device=device, controls=controls)
