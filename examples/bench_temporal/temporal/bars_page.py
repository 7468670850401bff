"""The page of the bars: what was run, each column against each bar, every result, and the pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temporal.bars import BARS, Bar, Sample, Verdict, verdict
from temporal.clips import BenchClip
from temporal.peer import PEERS, STEADIED
from temporal.synthetic import HALF, LOOKED_AT, OPENS, PERIODS, SETTLED
from temporal.variants import JUDGED, RAW

_COLUMNS = (RAW, *JUDGED, *PEERS, STEADIED)
FIGURES = (
    ("warp_error", "warp error x 1000"),
    ("flicker_detail", "flicker of detail"),
    ("anchoring", "along the scene"),
    ("anchoring_screen", "in place"),
    ("dis anchoring_flat", "flat, along the scene"),
    ("dis anchoring_flat_screen", "flat, in place"),
    ("contrast_levels", "contrast, levels"),
    ("grit", "grit, %"),
    ("grit_now", "beyond its frame, %"),
    ("look_distance", "distance to the look"),
)
"""Of every result, by their names in a sample."""
EYE, BACK = 0.8, 1.0
"""Share of what was drawn that is to be there, and levels of 255 that a clip which comes back may differ by."""


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """What came of the clips of which it is known what should come out."""

    eye: float
    """Share of the open eye's detail that is there."""
    back: float
    """Levels of 255 between frames that show the same."""
    later: float
    """The same without the first time forth and back."""


def page_of(
    clips: Sequence[BenchClip],
    looks: Sequence[str],
    samples: Mapping[str, Sequence[Sample]],
    known: Mapping[str, MadeUp],
    *,
    run: str,
) -> str:
    """Markdown.

    Args:
        clips: that were rendered.
        looks: under which.
        samples: by the column's name.
        known: of clips that were made up, by the column's name.
        run: frames, quality and model in words.
    """
    labels = {one.name: one.label for one in _COLUMNS}
    tells = {one.name: one.tells for one in _COLUMNS}
    shown = "\n".join(f"- **{one.name}** ({_speed(one)}): {one.shows} ({one.origin or one.file})." for one in clips)
    columns = "\n".join(f"- **{labels[name]}**: {tells[name]}." for name in samples)
    parts = [
        "# Bars of steadiness",
        f"`make bench-bars` writes this page. {run}, under {', '.join(looks)}, written without loss and measured by "
        "`vedit evaluate`.",
        shown,
        columns,
        "Motion is Farneback's, which vedit does not use; it sees none in flat parts, so that these are judged along "
        "OpenCV's DIS, and only where the source's own faint detail rides on it. Diffusers has the same weights, "
        "control maps, prompt, guidance and working size, and as many network evaluations a frame.",
    ]
    for one in JUDGED:
        if one.name in samples:
            parts.append(f"## {one.label}\n\n{_bars(clips, samples[one.name])}")
    parts.append(
        "A cell is the mean over the looks, and in how many of them the bar is met. Warp error beyond the source's is "
        "0 where a result is no further from itself than the source is, and has no end where the peer is not either."
    )
    if known:
        parts.append(f"## Clips that were made up\n\n{_made_up(known, labels)}")
    parts.append(f"## Every result\n\n{_results(clips, looks, samples, labels)}")
    parts.append(f"## Pictures\n\n{_pictures(clips, looks[0])}")
    return "\n\n".join(parts) + "\n"


def _made_up(known: Mapping[str, MadeUp], labels: Mapping[str, str]) -> str:
    lines = [
        f"| column | an eye that opens at frame {OPENS}, there in frame {LOOKED_AT}: at least {EYE:g} "
        f"| forth and back {PERIODS} times, levels between frames that show the same: at most {BACK:g} "
        "| the same from the second time on |",
        "|---|---|---|---|",
    ]
    for name, one in known.items():
        eye, back = (("met" if held else "**short**") for held in (one.eye >= EYE, one.back <= BACK))
        lines.append(f"| {labels[name]} | {one.eye:.3g} {eye} | {one.back:.3g} {back} | {one.later:.3g} |")
    told = (
        "The eye is drawn into a pan over a real picture; what is told is how much of its detail in vedit's raw frame "
        f"is in the column's. The clip that comes back goes {HALF} frames of a real one forth and back, and is looked "
        f"at from its frame {SETTLED} on: the largest mean difference."
    )
    return "\n".join(lines) + f"\n\n{told}"


def _speed(clip: BenchClip) -> str:
    return "fast" if clip.fast else "slow"


def _bars(clips: Sequence[BenchClip], samples: Sequence[Sample]) -> str:
    lines = [f"| bar | {' | '.join(clip.name for clip in clips)} |", f"|{'---|' * (len(clips) + 1)}"]
    for bar in BARS:
        cells = [_cell(verdict(bar, [one for one in samples if one.clip == clip.name])) for clip in clips]
        lines.append(f"| {_head(bar)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _head(bar: Bar) -> str:
    limit = f"{bar.limit:g}" if bar.fast_limit is None else f"{bar.limit:g}, of fast shots {bar.fast_limit:g}"
    return f"{bar.tells}: at {'most' if bar.better == 'lower' else 'least'} {limit}"


def _cell(found: Verdict | None) -> str:
    if found is None:
        return "not told"
    word = "met" if found.met else "**short**"
    return f"{_number(found.mean)} {word}, {found.looks_met} of {found.looks}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return "no end" if math.isinf(value) else f"{value:.3g}"


def _results(
    clips: Sequence[BenchClip],
    looks: Sequence[str],
    samples: Mapping[str, Sequence[Sample]],
    labels: Mapping[str, str],
) -> str:
    heads = ["clip", "look", "column", *(title for _, title in FIGURES)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for clip in clips:
        for look in looks:
            found = {
                name: one for name, own in samples.items() for one in own if (one.clip, one.look) == (clip.name, look)
            }
            rows = [("source", one.source) for one in list(found.values())[:1]]
            rows += [(labels[name], one.result) for name, one in found.items()]
            for label, figures in rows:
                cells = [_number(figures.get(name)) for name, _ in FIGURES]
                lines.append(f"| {' | '.join([clip.name, look, label, *cells])} |")
    return "\n".join(lines)


def _pictures(clips: Sequence[BenchClip], look: str) -> str:
    shown = [
        f"### {clip.name}\n\n![{clip.name} under {look}: consecutive crops of the source and of each column]"
        f"({clip.name}.crops.jpg)\n\n![{clip.name} under {look}: a row of pixels over time]({clip.name}.row.jpg)"
        for clip in clips
        if clip.free
    ]
    hidden = [clip.name for clip in clips if not clip.free]
    told = (
        f"Under {look}: crops of consecutive frames, as they are, where the clip changes most; then one row of pixels, "
        "its left end on top and time to the right. What is steady runs in clean lines; what flickers is frayed."
    )
    if hidden:
        told += f" Pictures of {', '.join(hidden)} are not shown, as it is not known whose they are."
    return "\n\n".join([told, *shown])
