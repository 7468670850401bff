"""Measure steadiness: vedit as it ships, with each of its parts off, and diffusers frame by frame; write a page of it.

    make bench-temporal                                        all of it, 24 frames at draft: two core-hours
    make bench-temporal ARGS="--quick --out build/temporal"    one clip, two looks, 8 small frames: two core-minutes
    make bench-temporal ARGS="--clips head hands --looks woodcut --frames 12 --out build/temporal"

It writes OUT/temporal.md and OUT/temporal/CLIP.jpg. Renders and reports are kept in the work folder, so that the same
command goes on where it was stopped, and a run with more metrics or looks makes only what is missing; after a change of
vedit that changes frames, remove it. Clips are found through VEDIT_TEST_DATA, by default ../shared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As the command line does: threads that spin while they wait slow small networks down. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from temporal.clips import CLIPS, LOOKS, BenchClip, chosen_clips, cut, frames_of
from temporal.document import document
from temporal.peer import PEERS
from temporal.rendering import Rendering, log_from_now
from temporal.sheet import write_sheet
from temporal.table import Row, rows_of
from temporal.variants import VARIANTS

import vedit
from vedit.errors import VeditError
from vedit.evaluation.listing import list_metrics
from vedit.evaluation.motion import Estimator
from vedit.media.writing.atomic import write_whole
from vedit.options.output_names import slug

QUICK = {"frames": 8, "clips": ["pan"], "looks": ["woodcut", "night"], "short_side": 128}
SHEET_FRAMES = 3
NAMES = tuple(one.name for one in (*VARIANTS, *PEERS))
LABELS = {one.name: one.label for one in (*VARIANTS, *PEERS)}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is run."""

    rendering: Rendering
    flows: tuple[Estimator, ...]
    measuring: int | None
    variants: tuple[str, ...]


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared"))
    parser.add_argument("--frames", type=int, help="of each clip; 24 where not given")
    parser.add_argument("--clips", nargs="+", help=f"{', '.join(one.name for one in CLIPS)}, or FILE[#FRAME]")
    parser.add_argument("--looks", nargs="+", help="prompts; woodcut, watercolor, bronze and night where not given")
    parser.add_argument("--variants", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME", help=str(NAMES))
    parser.add_argument("--quality", choices=["draft", "standard", "high"], default="draft")
    parser.add_argument("--short-side", type=int, help="pixels that the model works at, instead of the quality's")
    parser.add_argument("--flow", nargs="+", choices=["dis", "farneback"], default=["dis", "farneback"])
    parser.add_argument("--measure-at", type=int, help="pixels of the shorter side at which is measured; 512")
    parser.add_argument("--model", default="embedded", help="a model of the Stable Diffusion layout")
    parser.add_argument("--quick", action="store_true", help="one clip, two looks, 8 frames at 128 pixels")
    parser.add_argument("--data", type=Path, default=data / "clips" / "real", help="folder of the clips")
    parser.add_argument("--work", type=Path, default=Path("build/bench_temporal"), help="where renders are kept")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="for temporal.md and temporal/*.jpg")
    args = parser.parse_args(words)
    standard = QUICK if args.quick else {"frames": 24, "clips": [one.name for one in CLIPS], "looks": list(LOOKS)}
    for name, value in standard.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.frames < 2:
        parser.error(f"--frames is {args.frames}; steadiness needs 2 or more")
    return args


def main(words: Sequence[str] | None = None) -> int:
    args = arguments(words)
    bench = Bench(
        rendering=Rendering(
            work=args.work,
            frames=args.frames,
            quality=args.quality,
            model=args.model,
            short_side=args.short_side,
            log=log_from_now(),
        ),
        flows=tuple(args.flow),
        measuring=args.measure_at,
        variants=tuple(name for name in NAMES if name in args.variants),
    )
    try:
        clips = chosen_clips(args.clips, args.data)
        page = run(bench, clips, args.looks, args.data, args.out)
    except VeditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(page)
    return 0


def run(bench: Bench, clips: Sequence[BenchClip], looks: Sequence[str], data: Path, out: Path) -> Path:
    """Render and measure what is not there, and write the page; it is written after each clip."""
    reports: dict[str, list[tuple[str, str, dict[str, Any]]]] = {flow: [] for flow in bench.flows}
    sheets: dict[str, str] = {}
    page = out / "temporal.md"
    (out / "temporal").mkdir(parents=True, exist_ok=True)
    rendering, labels = bench.rendering, {name: LABELS[name] for name in bench.variants}
    columns = [one for one in (*VARIANTS, *PEERS) if one.name in bench.variants]
    for number, clip in enumerate(clips):
        source = cut(clip, data, rendering.folder(clip), rendering.frames)
        results: dict[str, dict[str, Path]] = {}
        for look in looks:
            results[look] = rendering.results(columns, source, look)
            for flow in bench.flows:
                own = measured(bench, source, results[look], look, flow)
                reports[flow] += [(clip.name, look, report) for report in own]
        shown = {
            labels[name]: {look: frames_of(paths[name]) for look, paths in results.items()} for name in bench.variants
        }
        write_sheet(out / "temporal" / f"{clip.name}.jpg", frames_of(source), shown, across=SHEET_FRAMES)
        sheets[clip.name] = f"temporal/{clip.name}.jpg"
        tables: dict[str, list[Row]] = {flow: rows_of(found) for flow, found in reports.items()}
        words = document(
            clips[: number + 1], looks, tables, labels, run=f"{rendering.told}, written without loss.", sheets=sheets
        )
        write_whole(page, words.encode())
        rendering.log(f"{clip.name}: written {page}")
    return page


def measured(bench: Bench, source: Path, results: dict[str, Path], look: str, flow: Estimator) -> list[dict[str, Any]]:
    """The reports of results, labelled by variant; kept, and made anew where the metrics are others."""
    names = sorted(one.name for one in list_metrics() if one.usable)
    state = {"metrics": names, "results": sorted(results), "at": bench.measuring}
    path = source.parent / slug(look) / f"figures-{flow}.json"
    if path.is_file():
        kept = json.loads(path.read_text("utf-8"))
        if kept["of"] == state:
            return kept["reports"]
    wall = time.perf_counter()
    reports = vedit.compare(source, results, prompt=look, flow=flow, short_side=bench.measuring)
    told = [{"label": one.label, "figures": one.as_dict()["figures"]} for one in reports]
    write_whole(path, json.dumps({"of": state, "reports": told}).encode())
    bench.rendering.log(f"{source.parent.name}, {look}: measured by {flow} in {time.perf_counter() - wall:.1f} s")
    return told


if __name__ == "__main__":
    sys.exit(main())
