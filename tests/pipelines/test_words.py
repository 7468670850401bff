"""What the embedded model makes of words: other wordings, other orders, and words that are to stay away."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from vedit.models import load
from vedit.options import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.sample import sample_frames

Render = Callable[..., torch.Tensor]

WORDINGS = {
    "pencil": ("pencil sketch", "a pencil drawing", "graphite sketch"),
    "night": ("night", "night scene", "dark night"),
    "stained glass": ("stained glass", "a stained glass window", "stained glass style"),
    "sepia": ("sepia", "sepia tone", "an old sepia photograph"),
}


@pytest.fixture(scope="module")
def render() -> Render:
    """Prompt (and others) -> one frame of the sample clip, (3, 128, 192) in [0, 1]."""
    model = load("embedded", controls=("tile", "softedge"))
    frame = torch.from_numpy(next(iter(sample_frames(1))))[None].float() / 255
    frame = torch.nn.functional.interpolate(frame, (128, 192), mode="area")
    kept: dict[RestyleOptions, torch.Tensor] = {}

    def rendered(prompt: str, negative: str = "", **changes: float) -> torch.Tensor:
        options = RestyleOptions(prompt=prompt, negative_prompt=negative, steps=6, fixed_point=1, **changes)  # type: ignore[arg-type]
        if options not in kept:
            restyler = prepare(model, options)
            latents = restyle_frames(restyler, frame, [0], own_guides(restyler)([0], frame))
            kept[options] = model.codec.decode(latents.data)[0]
        return kept[options]

    return rendered


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """Of what is coarse, where looks differ and strokes do not."""
    pooled = torch.nn.functional.avg_pool2d(torch.stack([a, b]), 8)
    return float((pooled[0] - pooled[1]).abs().mean())


def chroma(picture: torch.Tensor) -> float:
    return float((picture - picture.mean(0)).abs().mean())


def test_a_paraphrase_means_the_same(render: Render) -> None:
    pictures = {look: [render(text) for text in texts] for look, texts in WORDINGS.items()}
    within = [difference(a, b) for group in pictures.values() for a, b in pairwise(group)]
    for look, group in pictures.items():
        others = [difference(group[0], other[0]) for name, other in pictures.items() if name != look]
        assert max(within) < 0.5 * min(others), look


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pencil sketch at night", "night, pencil sketch"),
        ("watercolor, winter", "winter, watercolor"),
        ("a woman, oil painting at sunset", "oil painting at sunset, a woman"),
    ],
)
def test_the_order_of_the_words_decides_nothing(one: str, other: str, render: Render) -> None:
    first, second = render(one), render(other)
    apart = difference(first, render("a photograph"))
    assert difference(first, second) < 0.35 * apart


def test_a_look_that_is_denied_stays_away(render: Render) -> None:
    prompt = "pencil sketch at night"
    assert float(render(prompt, "night").mean()) > float(render(prompt).mean()) + 0.05
    assert chroma(render("watercolor", "black and white")) > 1.1 * chroma(render("watercolor"))
    assert chroma(render("watercolor", "vivid colors")) < 0.9 * chroma(render("watercolor"))
