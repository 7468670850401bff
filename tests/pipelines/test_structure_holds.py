"""The soft-edge control of the embedded model holds the structure: outlines of the source are found in the result.

What the figure depends on: the frame (a drawn landscape with clear outlines), the size (256 pixels on the short side,
the standard preset's), the prompt (the words for the source, so that no look draws strokes of its own over the
outlines), guidance 1 (nothing but prompt and control acts) and plain noise at strength 1, in which next to nothing of
the source is left. The control is the only way by which the outlines can come back. A look that draws strokes of its
own, a guidance above 1 and a smaller picture all make the figures smaller.
"""

from __future__ import annotations

import torch

from vedit.geometry import resize
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.preprocessors.softedge import soft_edges
from vedit.ranges import to_unit
from vedit.sample_clip.clip import sample_frames
from vedit.types import ControlSpec

SIZE = (256, 384)
FRAME = 40
SEEDS = range(3)
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def edge_correlation(source: torch.Tensor, result: torch.Tensor) -> float:
    """Pearson's correlation of the soft edges of the brightness of two pictures (1, 3, H, W)."""
    outlines = [
        soft_edges((frame * LUMA).sum(1, keepdim=True).expand(-1, 3, -1, -1))[:, 0] for frame in (source, result)
    ]
    return float(torch.corrcoef(torch.cat(outlines).flatten(1))[0, 1])


def test_the_figure_is_of_outlines() -> None:
    picture = torch.zeros(1, 3, 64, 64)
    picture[..., 16:48, 16:48] = 1
    assert edge_correlation(picture, picture) > 0.999
    assert edge_correlation(picture, 1 - picture) > 0.999
    assert edge_correlation(picture, picture.roll(8, 3)) < 0.7
    assert abs(edge_correlation(picture, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))) < 0.3


def test_outlines_come_back_with_the_scale_of_the_soft_edge_control() -> None:
    *_, drawn = sample_frames(FRAME + 1)
    small = resize(to_unit(drawn, 8).permute(1, 2, 0).contiguous().numpy(), SIZE)
    source = torch.from_numpy(small).permute(2, 0, 1)[None].clamp(0, 1)
    model = load(resolve("embedded"), controls=("softedge",))
    found: list[float] = []
    for scale in (0.0, 0.5, 1.0):
        total = 0.0
        for seed in SEEDS:
            options = RestyleOptions(
                prompt="a photograph",
                guidance=1.0,
                strength=1.0,
                start="noise",
                cross_frame=False,
                seed=seed,
                controls=(ControlSpec(kind="softedge", scale=scale),),
            )
            restyler = prepare(model, options)
            latents = restyle_frames(restyler, source, [FRAME], own_guides(restyler)([FRAME], source))
            total += edge_correlation(source, model.codec.decode(latents.data))
        found.append(total / len(SEEDS))
    assert found[1] - found[0] >= 0.1, found
    assert found[2] - found[1] >= 0.1, found
