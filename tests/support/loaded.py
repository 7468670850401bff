"""The embedded model, loaded once for tests that render many times."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd


def load_once(name: str, *, device: str, controls: tuple[str, ...], controlnets: Mapping[str, str]) -> SDModel:
    """In place of `vedit.models.load.load`: the embedded model, under whatever name it goes."""
    assert not controlnets
    return _loaded(device, controls)


@cache
def _loaded(device: str, controls: tuple[str, ...]) -> SDModel:
    return load_sd("embedded", device=device, controls=controls)
