"""Shot detectors by name: vedit's own, and those of the entry point group `vedit.shot_detectors`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Registry

_HOME = "vedit.shots.detect"
_DETECTORS = (
    Entry(
        name="adaptive",
        summary="a change of hue, saturation and value beside those around it; the default",
        target=f"{_HOME}:adaptive",
    ),
    Entry(
        name="content",
        summary="a change of hue, saturation and value, in levels of 255",
        target=f"{_HOME}:content",
    ),
    Entry(
        name="histogram",
        summary="a change of the histogram of brightness, 0 to 1",
        target=f"{_HOME}:histogram",
    ),
    Entry(
        name="hash",
        summary="a change of a perceptual hash of brightness, 0 to 1; blind to a change of colour alone",
        target=f"{_HOME}:perceptual_hash",
    ),
    Entry(
        name="threshold",
        summary="the middle of a fade through black, in levels of 255",
        target=f"{_HOME}:fades",
    ),
)
DEFAULT = _DETECTORS[0].name


@cache
def shot_detectors() -> Registry:
    """All of them. A target makes a `vedit.protocols.ShotDetector` of `threshold`, a number or None for the usual one,
    and `minimum_seconds`, a Fraction: a cut sooner than this after the last one is none."""
    registry = Registry("shot detector")
    for entry in _DETECTORS:
        registry.add(entry)
    registry.add_plugins("vedit.shot_detectors")
    return registry
