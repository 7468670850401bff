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
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from temporal.peer import PEERS, STEADIED, Peer, write_rgb
from temporal.rendering import Log, loaded_once, rendered
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

    work: Path
    out: Path
    data: Path
    frames: int
    model: str
    side: int
    anew: frozenset[str]
    log: Log


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
    began = time.monotonic()

    def log(text: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {text}", flush=True)

    run = Run(
        work=args.work,
        out=args.out,
        data=args.data,
        frames=args.frames,
        model=args.model,
        side=args.measure_at,
        anew=frozenset(args.anew),
        log=log,
    )
    try:
        samples: dict[str, list[Sample]] = {}
        clips = chosen_clips(args.clips, run.data)
        args.out.mkdir(parents=True, exist_ok=True)
        peer = loaded_once(run.model)
        for clip in clips:
            folder = run.work / f"{clip.name}-{run.frames}"
            source = cut(clip, run.data, folder, run.frames)
            results: dict[str, dict[str, Path]] = {}
            for look in args.looks:
                results[look] = rendered(
                    [one for one in COLUMNS if one.name in args.columns],
                    source,
                    folder / slug(look),
                    anew=run.anew,
                    look=look,
                    frames=run.frames,
                    quality="draft",
                    model=run.model,
                    short_side=None,
                    peer=peer,
                    log=log,
                )
                if not args.render_only:
                    kept = folder / slug(look) / "figures.json"
                    figures = measured(source, results[look], RAW.name, kept, look=look, side=run.side)
                    log(f"{folder.name}, {look}: measured")
                    for name, sample in samples_of(clip, look, figures).items():
                        samples.setdefault(name, []).append(sample)
            if not args.render_only:
                pictures(run, clip, source, results[args.looks[0]])
        judged = [one for one in JUDGED if one.name in args.columns]
        known = {} if args.no_made_up else made_up(run, args.looks[0], judged, peer)
    except VeditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if not args.render_only:
        page = args.out / "steadiness.md"
        write_whole(page, page_of(clips, args.looks, samples, known, frames=run.frames).encode())
        print(page)
    return 0


def made_up(run: Run, look: str, columns: Sequence[Variant], peer: Callable[[], Peer]) -> dict[str, MadeUp]:
    """The clips of which it is known what should come out, rendered and looked at, by the column's name."""
    folder, clips = run.work / "made-up", {one.name: one for one in (*CLIPS, *FURTHER_CLIPS)}
    still = frames_of(cut(clips["rabbit"], run.data, folder / "still", 1))[0]
    forth = frames_of(cut(clips["pan"], run.data, folder / "forth", synthetic.HALF))
    films = {"eye": synthetic.opening_eye(still), "return": synthetic.there_and_back(forth)}
    shown: dict[str, dict[str, list[IntFrames]]] = {}
    for name, film in films.items():
        source = folder / name / "source.mkv"
        if not source.is_file():
            source.parent.mkdir(parents=True, exist_ok=True)
            write_rgb(film, source, Fraction(25))
        done = rendered(
            [RAW, *columns],
            source,
            folder / name / slug(look),
            anew=run.anew,
            look=look,
            frames=len(film),
            quality="draft",
            model=run.model,
            short_side=None,
            peer=peer,
            log=run.log,
        )
        shown[name] = {column: frames_of(path) for column, path in done.items()}
    size = int(films["eye"][0].shape[1]), int(films["eye"][0].shape[2])
    place = synthetic.eye_place(size, synthetic.LOOKED_AT)
    eyes = {name: frames[synthetic.LOOKED_AT] for name, frames in shown["eye"].items()}
    return {
        name: MadeUp(
            eye=synthetic.share_there(eyes[RAW.name], eyes[name], place),
            back=synthetic.furthest_return(shown["return"][name]),
            later=synthetic.furthest_return(shown["return"][name], settled=synthetic.period()),
        )
        for name in (RAW.name, *(one.name for one in columns))
    }


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
    folder = run.out if clip.free else run.work
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
