"""Metrics by name: vedit's own, and those of the entry point group `vedit.metrics`."""

from __future__ import annotations

from functools import cache

from vedit.registry.entry import Entry, Needs, Registry

_HOME = "vedit.evaluation.metrics"
_OWN = (
    ("motion", "how much of the source's motion is lost or made up"),
    ("camera_path", "whether the camera goes where the source's goes, each step and at the end"),
    ("warp_error", "how far frames differ once the motion is taken out, over 1 and 8 frames and from first to last"),
    ("flicker", "brightness and detail that come and go along the scene's tracks, fast and slow"),
    ("anchoring", "whether what was drawn rides on the scene or stays on the screen"),
    ("contrast", "how strong fine detail is, so that nobody wins by blur"),
    ("structure", "whether edges and patterns are the source's"),
    ("detail", "fine detail over the source's, burnt-out highlights and blocked shadows"),
    ("lattice", "the faint lattice of the model's cells in flat parts"),
    ("appearance", "how far colours and fine texture moved from the source"),
    ("drift", "colour, contrast and sharpness over a shot, and at the joins of windows"),
    ("shots", "whether shots share one look: what becomes of a colour in one, against the others"),
    ("preservation", "what changed outside the mask"),
    ("look", "whether a result of the embedded model wears the look that was asked for"),
)
_NETWORKS = (
    ("dino", "how far the structure moved, by DINO's self-similarity", "dino:METRIC", "dino-vitb8"),
    (
        "clip",
        "how well frames go with the prompt and each other, by CLIP",
        "clip:METRIC",
        "clip-vit-large-patch14",
    ),
    ("pickscore", "how well frames go with the prompt, by what people prefer", "clip:PICKSCORE", "pickscore-v1"),
)
_METRICS = (
    *(Entry(name=name, summary=summary, target=f"{_HOME}.{name}:METRIC") for name, summary in _OWN),
    *(
        Entry(name=name, summary=summary, target=f"{_HOME}.{target}", needs=Needs(weights=(weights,)))
        for name, summary, target, weights in _NETWORKS
    ),
)


@cache
def metrics() -> Registry:
    """All of them. A target is a `vedit.evaluation.metric.Metric`."""
    return Registry.of("metric", _METRICS, group="vedit.metrics", protocol="vedit.evaluation.metric:Metric")
