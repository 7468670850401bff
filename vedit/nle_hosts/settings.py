"""The settings of a render that a host script hands on, written from the table of settings.

By tests/support/written.py: change a setting where it is declared and write this anew.
"""

from __future__ import annotations

from typing import Any

SETTINGS = {
    "negative_prompt": "--negative-prompt",
    "source_prompt": "--source-prompt",
    "strength": "--strength",
    "guidance": "--guidance",
    "control": "--control",
    "keep": "--keep",
    "variation": "--variation",
    "seed": "--seed",
    "quality": "--quality",
    "steps": "--steps",
    "batch": "--batch",
    "window": "--window",
    "keyframes": "--keyframes",
    "model": "--model",
    "device": "--device",
    "codec": "--codec",
    "preset": "--preset",
}
"""The settings of a look that go to `vedit restyle`, and the option of each."""
ABOUT: dict[str, dict[str, Any]] = {
    "negative_prompt": {"description": "What the result should not look like.", "default": ""},
    "source_prompt": {
        "description": "What the source shows, in words; the inversion runs under it.",
        "default": "a photograph",
    },
    "strength": {"description": "How much is regenerated; 0 is the source.", "default": None, "min": 0, "max": 1},
    "guidance": {
        "description": "How strictly the prompt is followed; 1 is without guidance.",
        "default": None,
        "min": 0,
        "max": 100,
    },
    "keep": {
        "description": "What the result holds on to: controls by intent.",
        "default": None,
        "choices": ["structure", "motion", "faces"],
    },
    "variation": {
        "description": (
            "How much is drawn from the seed: more gives the look's own strokes, and less of the source's detail."
        ),
        "default": None,
        "min": 0,
        "max": 1,
    },
    "seed": {
        "description": "Same seed, same frames; it acts where variation is above 0.",
        "default": 0,
        "min": 0,
        "max": 9223372036854775807,
    },
    "quality": {
        "description": "Sets the steps and the size that the model works at.",
        "default": "standard",
        "choices": ["draft", "standard", "high"],
    },
    "steps": {"description": "Sampling steps, instead of the quality's.", "default": None, "min": 1, "max": 1000},
    "batch": {
        "description": "Frames per network call: memory and speed, and the frames by a level at most.",
        "default": 8,
        "min": 1,
        "max": 1000000,
    },
    "window": {
        "description": "Frames sampled together; decides the frames, like the seed.",
        "default": 24,
        "min": 1,
        "max": 1000000,
    },
    "keyframes": {
        "description": (
            "Draw some frames, auto or one in N at least, and carry the others between them along the motion."
        ),
        "default": None,
    },
    "model": {"description": "Listed name, diffusers folder, .safetensors file or hub id.", "default": "embedded"},
    "device": {"description": "Where to run.", "default": "auto", "choices": ["auto", "cpu", "cuda", "mps"]},
    "codec": {
        "description": "Codec of the result.",
        "default": None,
        "choices": ["h264", "hevc", "av1", "vp9", "prores", "dnxhr", "ffv1", "png", "jpeg", "tiff", "exr", "gif"],
    },
    "preset": {
        "description": (
            "web: small, plays everywhere; edit: visually lossless; archive: lossless where the codec can be."
        ),
        "default": "edit",
        "choices": ["web", "edit", "archive"],
    },
}
"""What each says, its default, its bounds and its choices."""
