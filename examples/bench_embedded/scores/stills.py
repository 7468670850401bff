"""Colour, texture, nearest target and the autoencoder's floor: all on the same restyled photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from trainer.looks import Look

from scores.colour_map import fit_colour_map
from scores.data import Pair, Photographs, prompt_of
from scores.metrics import high_pass, patch_sketch, psnr, sketch_distance, texture_sketch
from scores.rendering import Subject
from scores.report import Bar, Cell, Table

COLOUR_LIMIT, COLOUR_SHARE = 0.4, 0.8
PAIR_LIMIT, PAIR_SHARE = 0.55, 0.8
TEXTURE_LIMIT, TEXTURE_LOOKS = 0.6, 12
FLOOR_LIMIT = 0.6
NEAREST_LIMIT = 0.9
PHOTO_DECIBELS, LOOK_DECIBELS = 30.0, 28.0

Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Stills:
    """One look on the held-out photographs, each (N, 3, H, W)."""

    look: Look
    source: torch.Tensor
    target: torch.Tensor
    result: torch.Tensor
    mapped: torch.Tensor
    """The source under one colour map that was fitted on other photographs."""


def render_stills(
    subject: Subject, looks: Sequence[Look], held_out: Photographs, fitting: Photographs
) -> Iterator[Stills]:
    """Each look's pictures, as they are done."""
    source, fitted_on = held_out.sources(), fitting.sources()
    for look in looks:
        colours = fit_colour_map(fitted_on, fitting.targets(look))
        yield Stills(
            look=look,
            source=source,
            target=held_out.targets(look),
            result=subject.pictures(prompt_of(look), source),
            mapped=colours(source),
        )


def colour_table(stills: Sequence[Stills], settings: str, log: Log) -> Table:
    """Distance to the target, over that of the untouched source."""
    rows: list[tuple[Cell, ...]] = []
    good = map_good = 0
    for s in stills:
        target = patch_sketch(s.target)
        untouched = sketch_distance(patch_sketch(s.source), target)
        result, mapped = (sketch_distance(patch_sketch(p), target) / untouched for p in (s.result, s.mapped))
        good += result < COLOUR_LIMIT
        map_good += mapped < COLOUR_LIMIT
        rows.append((s.look.name, s.look.kind, result, mapped, untouched))
        log(f"colour {s.look.name}: {result:.3f}, colour map {mapped:.3f}")
    return Table(
        title="Colour",
        settings=settings,
        columns=("look", "kind", "result", "colour map alone", "source to target"),
        rows=tuple(rows),
        bars=(
            Bar(
                what=f"share of the looks below {COLOUR_LIMIT}",
                figure=good / len(rows),
                sign=">=",
                limit=COLOUR_SHARE,
                remark=f"{good} of {len(rows)}; the colour map alone has {map_good}",
            ),
        ),
    )


def pairs_table(subject: Subject, pairs: Sequence[Pair], held_out: Photographs, settings: str, log: Log) -> Table:
    """The colour distance of looks that were asked for together."""
    source = held_out.sources()
    rows: list[tuple[Cell, ...]] = []
    good = 0
    for pair in pairs:
        target = patch_sketch(held_out.targets(pair.medium, pair.light))
        result = patch_sketch(subject.pictures(pair.prompt, source))
        untouched = sketch_distance(patch_sketch(source), target)
        found = sketch_distance(result, target) / untouched
        alone = sketch_distance(patch_sketch(held_out.targets(pair.medium)), target) / untouched
        good += found < PAIR_LIMIT
        rows.append((pair.prompt, found, alone, untouched))
        log(f"pair {pair.name}: {found:.3f}, the medium's target alone {alone:.3f}")
    return Table(
        title="Composed pairs",
        settings=settings,
        columns=("prompt", "result", "target of the medium alone", "source to target"),
        rows=tuple(rows),
        bars=(
            Bar(
                what=f"share of the pairs below {PAIR_LIMIT}",
                figure=good / len(rows),
                sign=">=",
                limit=PAIR_SHARE,
                remark=f"{good} of {len(rows)}",
            ),
        ),
    )


def texture_table(subject: Subject, stills: Sequence[Stills], settings: str, log: Log) -> Table:
    """The same distance once colours are equal, on what lies above sigma 3; over that of the untouched source."""
    rows: list[tuple[Cell, ...]] = []
    good = reachable = 0
    for s in stills:
        target = patch_sketch(high_pass(s.target))
        untouched = sketch_distance(texture_sketch(s.source, s.target), target)
        result, mapped, floor = (
            sketch_distance(texture_sketch(pictures, s.target), target) / untouched
            for pictures in (s.result, s.mapped, subject.through_autoencoder(s.target))
        )
        counts = s.look.kind in ("medium", "material") and floor < FLOOR_LIMIT
        reachable += counts
        good += counts and result < TEXTURE_LIMIT
        rows.append((s.look.name, s.look.kind, result, floor, mapped, "yes" if counts else "no"))
        log(f"texture {s.look.name}: {result:.3f}, floor {floor:.3f}, colour map {mapped:.3f}")
    return Table(
        title="Texture",
        settings=settings,
        columns=("look", "kind", "result", "autoencoder floor", "colour map alone", "counts"),
        rows=tuple(rows),
        bars=(
            Bar(
                what=f"media and materials below {TEXTURE_LIMIT} whose floor is below {FLOOR_LIMIT}",
                figure=good,
                sign=">=",
                limit=TEXTURE_LOOKS,
                remark=f"of {reachable} with such a floor",
            ),
        ),
    )


def nearest_table(
    stills: Sequence[Stills], held_out: Photographs, candidates: Sequence[Look], settings: str, log: Log
) -> Table:
    """Which candidate's targets each result is nearest to: the sum of colour and high-pass distance.

    Each distance is taken in units of its own mean between the targets of two looks, so that both weigh the same. No
    histogram is matched here: a matched one would belong to each candidate's target.
    """
    targets = {look.name: _both(held_out.targets(look)) for look in candidates}
    names = list(targets)
    units = [_mean_between([pair[kind] for pair in targets.values()]) for kind in (0, 1)]
    rows: list[tuple[Cell, ...]] = []
    hits, map_hits = 0, 0
    for s in stills:
        found, mapped = (_ranking(_both(pictures), targets, units) for pictures in (s.result, s.mapped))
        hits += found[0] == s.look.name
        map_hits += mapped[0] == s.look.name
        rows.append((s.look.name, found[0], found.index(s.look.name) + 1, mapped[0], mapped.index(s.look.name) + 1))
        log(f"nearest {s.look.name}: {found[0]}, own is number {rows[-1][2]} of {len(names)}")
    rows.append(("top-1 share", f"{hits / len(stills):.2f}", "", f"{map_hits / len(stills):.2f}", ""))
    return Table(
        title="Nearest target",
        settings=f"{settings}; {len(names)} candidates",
        columns=("look", "nearest to the result", "own rank", "nearest to the colour map", "own rank"),
        rows=tuple(rows),
        bars=(Bar(what="looks told apart", figure=hits / len(stills), sign=">=", limit=NEAREST_LIMIT),),
    )


def autoencoder_table(subject: Subject, stills: Sequence[Stills], photos: torch.Tensor, settings: str) -> Table:
    """PSNR of what the autoencoder alone gives back: no look can be drawn finer than this."""
    looks = [psnr(subject.through_autoencoder(s.target), s.target) for s in stills]
    plain = psnr(subject.through_autoencoder(photos), photos)
    rows: list[tuple[Cell, ...]] = [("photographs", len(photos), plain)]
    rows += [(s.look.name, len(s.target), found) for s, found in zip(stills, looks, strict=True)]
    return Table(
        title="Autoencoder",
        settings=settings,
        columns=("pictures", "count", "PSNR, dB"),
        rows=(*rows, ("mean of the looks", sum(len(s.target) for s in stills), sum(looks) / len(looks))),
        bars=(
            Bar(what="photographs, dB", figure=plain, sign=">=", limit=PHOTO_DECIBELS),
            Bar(what="mean of the looks, dB", figure=sum(looks) / len(looks), sign=">=", limit=LOOK_DECIBELS),
        ),
    )


def _both(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return patch_sketch(pictures), patch_sketch(high_pass(pictures))


def _mean_between(sketches: Sequence[torch.Tensor]) -> float:
    pairs = [sketch_distance(a, b) for i, a in enumerate(sketches) for b in sketches[:i]]
    return sum(pairs) / len(pairs)


def _ranking(
    own: tuple[torch.Tensor, torch.Tensor],
    targets: dict[str, tuple[torch.Tensor, torch.Tensor]],
    units: Sequence[float],
) -> list[str]:
    """Names, the nearest first."""
    distance = {
        name: sum(sketch_distance(a, b) / unit for a, b, unit in zip(own, target, units, strict=True))
        for name, target in targets.items()
    }
    return sorted(distance, key=lambda name: distance[name])
