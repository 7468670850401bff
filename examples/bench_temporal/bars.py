"""Hold vedit to its bars of steadiness, beside diffusers frame by frame under vedit's own steadying; write a page.

    make bench-bars                                              all of it, 24 frames at draft: two core-hours
    make bench-bars ARGS="--clips car --looks woodcut"           a part; what is kept is not rendered again
    make bench-bars ARGS="--anew full diffusers-steadied"        after a change of steadying: these columns anew

It writes OUT/steadiness.md and OUT/CLIP.*.jpg. What was rendered, drawn and measured is kept in the work folder, so
that a run goes on where it was stopped; so is what vedit sampled, once for all columns that are made of it.
Clips are found through VEDIT_TEST_DATA, by default ../shared.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

# As the command line does: threads that spin while they wait slow small networks down. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from temporal import synthetic
from temporal.bars import Figures, Sample
from temporal.bars_page import MadeUp, page_of
from temporal.clips import CLIPS, FURTHER_CLIPS, LOOKS, SPEEDS_AND_FLATS, BenchClip, chosen_clips, cut, frames_of
from temporal.measuring import SOURCE, measured
from temporal.over_time import write_over_time
from temporal.peer import PEERS, STEADIED, write_rgb
from temporal.rendering import Rendering, log_from_now
from temporal.sheet import write_sheet
from temporal.variants import FULL, JUDGED, RAW, Variant

from vedit.errors import VeditError
from vedit.media.writing.atomic import write_whole
from vedit.options.output_names import slug

if TYPE_CHECKING:
    from vedit.types import IntFrames

FRESH = next(one for one in PEERS if one.fresh)
COLUMNS = (RAW, *JUDGED, FRESH, STEADIED)
CROP, CROPS = 160, 6
"""Pixels of a crop's side, and how many consecutive ones."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is run."""

    rendering: Rendering
    out: Path
    data: Path
    side: int
    """Pixels of the shorter side at which is measured."""


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared"))
    names = [one.name for one in COLUMNS]
    usual = [one.name for one in SPEEDS_AND_FLATS]
    every = ", ".join(one.name for one in (*CLIPS, *FURTHER_CLIPS))
    parser.add_argument("--frames", type=int, default=24, help="of each clip")
    parser.add_argument("--clips", nargs="+", default=usual, help=f"{every}, or FILE[#FRAME]")
    parser.add_argument("--looks", nargs="+", default=list(LOOKS), help="prompts")
    parser.add_argument("--columns", nargs="+", choices=names, default=names, metavar="NAME", help=str(names))
    parser.add_argument("--anew", nargs="+", choices=names, default=[], metavar="NAME", help="rendered again")
    parser.add_argument("--no-made-up", action="store_true", help="leave out the clips that are drawn")
    parser.add_argument("--render-only", action="store_true", help="measure nothing, write no page")
    parser.add_argument("--model", default="embedded", help="a model of the Stable Diffusion layout")
    parser.add_argument("--measure-at", type=int, default=256, help="pixels of the shorter side")
    parser.add_argument("--data", type=Path, default=data / "clips" / "real", help="folder of the clips")
    parser.add_argument("--work", type=Path, default=Path("build/bench_bars"), help="where renders are kept")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"), help="for the page and its pictures")
    args = parser.parse_args(words)
    if args.frames < 10:
        parser.error(f"--frames is {args.frames}; what is drawn is held against itself 8 frames earlier")
    return args


def main(words: Sequence[str] | None = None) -> int:
    args = arguments(words)
    rendering = Rendering(
        work=args.work,
        frames=args.frames,
        quality="draft",
        model=args.model,
        short_side=None,
        log=log_from_now(),
        anew=args.anew,
    )
    run = Run(rendering=rendering, out=args.out, data=args.data, side=args.measure_at)
    columns = [one for one in COLUMNS if one.name in args.columns]
    try:
        samples: dict[str, list[Sample]] = {}
        clips = chosen_clips(args.clips, run.data)
        args.out.mkdir(parents=True, exist_ok=True)
        for clip in clips:
            source = cut(clip, run.data, rendering.folder(clip), rendering.frames)
            results: dict[str, dict[str, Path]] = {}
            for look in args.looks:
                results[look] = rendering.results(columns, source, look)
                if not args.render_only:
                    kept = source.parent / slug(look) / "figures.json"
                    figures = measured(source, results[look], RAW.name, kept, look=look, side=run.side)
                    rendering.log(f"{source.parent.name}, {look}: measured")
                    for name, sample in samples_of(clip, look, figures).items():
                        samples.setdefault(name, []).append(sample)
            if not args.render_only:
                pictures(run, clip, source, results[args.looks[0]])
        judged = [one for one in JUDGED if one.name in args.columns]
        known = {} if args.no_made_up else made_up(run, args.looks[0], judged)
    except VeditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if not args.render_only:
        page = args.out / "steadiness.md"
        write_whole(page, page_of(clips, args.looks, samples, known, run=rendering.told).encode())
        print(page)
    return 0


def made_up(run: Run, look: str, columns: Sequence[Variant]) -> dict[str, MadeUp]:
    """The clips of which it is known what should come out, rendered and looked at, by the column's name."""
    shown = [RAW, *columns]
    eyes = _results_of("eye", "rabbit", 1, lambda still: synthetic.opening_eye(still[0]), run, look, shown)
    returns = _results_of("return", "pan", synthetic.HALF, synthetic.there_and_back, run, look, shown)
    drawn = eyes[RAW.name][synthetic.LOOKED_AT]
    place = synthetic.eye_place((int(drawn.shape[1]), int(drawn.shape[2])), synthetic.LOOKED_AT)
    return {
        name: MadeUp(
            eye=synthetic.share_there(drawn, eyes[name][synthetic.LOOKED_AT], place),
            back=synthetic.furthest_return(returns[name]),
            later=synthetic.furthest_return(returns[name], settled=synthetic.period()),
        )
        for name in eyes
    }


def _results_of(
    name: str,
    clip: str,
    frames: int,
    film_of: Callable[[list[IntFrames]], list[IntFrames]],
    run: Run,
    look: str,
    columns: Sequence[Variant],
) -> dict[str, list[IntFrames]]:
    """The results of a film that is made of so many frames of a clip, by the column's name."""
    found = next(one for one in (*CLIPS, *FURTHER_CLIPS) if one.name == clip)
    folder = replace(run.rendering, frames=frames).folder(found)
    film = film_of(frames_of(cut(found, run.data, folder, frames)))
    source = folder / name / "source.mkv"
    if not source.is_file():
        source.parent.mkdir(parents=True, exist_ok=True)
        write_rgb(film, source, Fraction(25))
    done = replace(run.rendering, frames=len(film)).results(columns, source, look)
    return {column: frames_of(path) for column, path in done.items()}


def samples_of(clip: BenchClip, look: str, figures: dict[str, Figures]) -> dict[str, Sample]:
    """What is judged, by the column's name."""
    nothing: Figures = {}
    return {
        name: Sample(
            clip=clip.name,
            look=look,
            fast=clip.fast,
            result=own,
            source=figures[SOURCE],
            raw=figures.get(RAW.name, nothing),
            full=figures.get(FULL.name, nothing),
            peer=figures.get(STEADIED.name, nothing),
        )
        for name, own in figures.items()
        if name != SOURCE
    }


def pictures(run: Run, clip: BenchClip, source: Path, results: dict[str, Path]) -> None:
    """The sheet of crops and the row of pixels over time; of clips that may not be shown, in the work folder."""
    folder = run.out if clip.free else run.rendering.work
    own = frames_of(source)
    shown = {one.label: frames_of(results[one.name]) for one in COLUMNS if one.name in results and one is not FRESH}
    write_sheet(
        folder / f"{clip.name}.crops.jpg",
        own,
        {label: {"": frames} for label, frames in shown.items()},
        across=CROPS,
        side=CROP,
        cell=CROP,
    )
    write_over_time(folder / f"{clip.name}.row.jpg", own, shown)


if __name__ == "__main__":
    sys.exit(main())
