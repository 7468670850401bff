"""What the embedded model makes of words: other wordings, other orders, and words that are to stay away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch

from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.sample_clip.clip import sample_frames
from vedit.store.computed import ComputedCache

Render = Callable[..., torch.Tensor]

WORDINGS = {
    "pencil": ("pencil sketch", "a pencil drawing", "graphite sketch"),
    "night": ("night", "night scene", "dark night"),
    "stained glass": ("stained glass", "a stained glass window", "stained glass style"),
    "sepia": ("sepia", "sepia tone", "an old sepia photograph"),
}


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Render]:
    """Prompt (and others) -> one frame of the sample clip, (3, 128, 192) in [0, 1].

    All prompts start from one inversion, which runs under the words for the source.
    """
    model = load(resolve("embedded"), controls=("tile", "softedge"))
    frame = torch.from_numpy(next(iter(sample_frames(1))))[None].float() / 255
    frame = torch.nn.functional.interpolate(frame, (128, 192), mode="area")
    kept: dict[RestyleOptions, torch.Tensor] = {}

    inversions = ComputedCache(tmp_path_factory.mktemp("inversions"))

    def rendered(prompt: str, negative: str = "", **changes: float) -> torch.Tensor:
        options = RestyleOptions(prompt=prompt, negative_prompt=negative, steps=6, fixed_point=1, **changes)  # type: ignore[arg-type]
        if options not in kept:
            restyler = prepare(model, options, inversions)
            latents = restyle_frames(restyler, frame, [0], own_guides(restyler)([0], frame))
            kept[options] = model.codec.decode(latents.data)[0]
        return kept[options]

    with inversions:
        yield rendered


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


@pytest.mark.parametrize("prompt", ["sepia zyzzyva", "zyzzyva, sepia", "sepia of a zyzzyva", "Łódź in sepia", "sepia!"])
def test_an_unknown_word_changes_no_pixel(prompt: str, render: Render) -> None:
    assert torch.equal(render(prompt), render("sepia" if "in" not in prompt else "in sepia"))


def test_a_look_that_is_denied_stays_away(render: Render) -> None:
    prompt = "pencil sketch at night"
    assert float(render(prompt, "night").mean()) > float(render(prompt).mean()) + 0.05
    assert chroma(render("watercolor", "black and white")) > 1.1 * chroma(render("watercolor"))
    assert chroma(render("watercolor", "vivid colors")) < 0.9 * chroma(render("watercolor"))


@pytest.mark.parametrize("look", ["watercolor", "pencil sketch", "sepia", "night", "fog", "rain"])
def test_subtle_changes_less(look: str, render: Render) -> None:
    filmed = render("a photograph")
    assert difference(render(f"subtle {look}"), filmed) < 0.75 * difference(render(look), filmed)


@pytest.mark.parametrize("look", ["sepia", "night", "fog", "rain"])
def test_heavy_changes_more(look: str, render: Render) -> None:
    """Of a medium it asks for a larger brush, which need not be further from the photograph."""
    filmed = render("a photograph")
    assert difference(render(f"heavy {look}"), filmed) > 1.08 * difference(render(look), filmed)


HUES = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1)}


def test_a_colour_word_sets_the_hue(render: Render) -> None:
    means = {name: render(f"a photograph in {name}").mean((1, 2)) for name in HUES}
    for name, signs in HUES.items():
        weights = torch.tensor(signs, dtype=torch.float32)
        leans = {other: float((weights * (mean - mean.mean())).sum()) for other, mean in means.items()}
        assert max(leans, key=lambda other: leans[other]) == name


def test_two_colours_part_light_from_dark(render: Render) -> None:
    """Teal and orange: what is dark is teal, what is bright orange; the photograph's warmth has no such order."""
    picture, filmed = render("a photograph in teal and orange"), render("a photograph")
    warmth = (picture[0] - picture[2]).flatten()
    bright, light = filmed.mean(0).flatten().sort().indices, len(warmth) // 4
    apart = warmth[bright[-light:]].mean() - warmth[bright[:light]].mean()
    before = (filmed[0] - filmed[2]).flatten()
    assert float(apart) > float(before[bright[-light:]].mean() - before[bright[:light]].mean()) + 0.05


def test_a_colour_goes_with_a_medium(render: Render) -> None:
    """The pencil stays, as grey as it was paper-white, and takes the colour."""
    plain, blue = render("pencil sketch"), render("pencil sketch in blue")
    assert chroma(blue) > 1.5 * chroma(plain)
    assert float(blue[2].mean() - blue[0].mean()) > float(plain[2].mean() - plain[0].mean()) + 0.03
    assert difference(blue, plain) < difference(blue, render("a photograph in blue"))
