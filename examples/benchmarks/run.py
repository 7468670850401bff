"""Run vedit over a published benchmark, and leave what its scorer reads.

    python examples/benchmarks/run.py five     FiVE-Bench/data          build/five/vedit
    python examples/benchmarks/run.py ivebench IVEBench                 build/ivebench --quality draft --limit 10
    python examples/benchmarks/run.py vefx     VEFX-Bench/examples/sample_videos build/vefx
    python examples/benchmarks/run.py tgve     loveu-tgve-2023          build/tgve --model stable-diffusion-v1-5

Nothing is downloaded: FOLDER is the benchmark as it is unpacked, and the layouts are told in published/*.py. Everything
that can be wrong with it is said before the first frame is rendered. The same command goes on where it was stopped: an
item whose result is there and whole is not rendered again. All that is not the scorer's lies in OUT/vedit: settings,
records, tables. Figures of the scorer are measured here as far as pictures, or weights on this machine, give them;
`vedit evaluate`'s own stand beside them under names of their own, and are not the benchmark's.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

# As the command line does: threads that spin while they wait slow small networks down. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from published.clip_scores import ClipScores, load_scores
from published.five import Five
from published.item import Item, Layout
from published.ivebench import IVEBench
from published.measuring import measure, need_of
from published.rendering import OWN, Done, Settings, check_settings, keep, kept, own_figures, render
from published.tgve import TGVE
from published.vefx import VEFXBench
from published.words import own_table, told_of_needs

from vedit.errors import InputError, VeditError

LAYOUTS: dict[str, Layout] = {"five": Five(), "ivebench": IVEBench(), "vefx": VEFXBench(), "tgve": TGVE()}


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("folder", type=Path, help="the benchmark, as it is unpacked")
    parser.add_argument("out", type=Path, help="for the results; a run goes on in it")
    parser.add_argument("--model", default="embedded", help="as vedit restyle takes it")
    parser.add_argument("--quality", choices=["draft", "standard", "high"], default="standard")
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short-side", type=int, help="pixels that the model works at, instead of the quality's")
    parser.add_argument("--limit", type=int, help="the first so many items only")
    parser.add_argument("--masks", action="store_true", help="change only what the benchmark's masks show; say so")
    parser.add_argument("--measure", choices=["none", "quick", "full"], default="quick", help="vedit's own figures")
    parser.add_argument("--weights", type=Path, help="a folder with weights of scorers, OWNER/NAME/ or NAME/ in it")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(words)
    if args.limit is not None and args.limit < 1:
        parser.error(f"--limit is {args.limit}; give 1 or more")
    return args


def main(words: Sequence[str] | None = None) -> int:
    args = arguments(words)
    layout = LAYOUTS[args.layout]
    settings = Settings(
        model=args.model,
        quality=args.quality,
        seed=args.seed,
        strength=args.strength,
        short_side=args.short_side,
        masked=args.masks,
        device=args.device,
    )
    try:
        items = listed(layout, args.folder, args.out, args.limit)
        check_settings(args.out, layout, settings)
        scores = load_scores(layout, args.weights, "cpu" if args.device == "auto" else args.device)
    except VeditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{layout.title}: {len(items)} items of {args.folder}")
    done, failed = run(items, layout, settings, args.out, scores, args.measure)
    told = report(done, layout, args.out, scores, args.folder)
    print("\n".join(told))
    for name, why in failed.items():
        print(f"not rendered: {name}: {why}", file=sys.stderr)
    return 1 if failed else 0


def listed(layout: Layout, folder: Path, out: Path, limit: int | None) -> list[Item]:
    """The items of a folder, each place once.

    Raises:
        InputError: the folder is not of that layout, holds nothing, or the results would go into it.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", remedy=f"name the folder of {layout.title} as it is unpacked")
    if out.resolve() == folder.resolve():
        raise InputError(f"{out} is the benchmark itself", remedy="name another folder for the results")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file", remedy="name a folder for the results")
    # All are looked at, whatever the limit, so that what is wrong is known before the work begins.
    found: dict[Path, Item] = {}
    for item in layout.items(folder):
        first = found.setdefault(item.target(out), item)
        if first is not item and first.prompt != item.prompt:
            print(f"note: the scorer has one place for {first.name} and {item.name}; the first is rendered")
    if not found:
        raise InputError(f"the prompt files in {folder} list nothing", remedy="fetch them anew")
    return list(found.values())[:limit]


def run(
    items: Sequence[Item],
    layout: Layout,
    settings: Settings,
    out: Path,
    scores: dict[str, ClipScores],
    measured: str,
) -> tuple[list[tuple[Item, Done]], dict[str, str]]:
    """Render and measure what is not there yet; (what is done, why what is not could not be)."""
    done: list[tuple[Item, Done]] = []
    failed: dict[str, str] = {}
    began = time.monotonic()
    for number, item in enumerate(items, 1):
        before = kept(item, out)
        try:
            one = before or render(item, layout, settings, out)
            one = replace(one, figures={**one.figures, **measure(item, layout, out, scores)})
            if measured != "none" and not one.own:
                one = replace(one, own=own_figures(item, out, quick=measured == "quick"))
        except VeditError as error:
            failed[item.name] = str(error)
            continue
        keep(item, out, one)
        done.append((item, one))
        how = "was there" if before else f"{one.frames} frames in {one.seconds:.1f} s"
        print(f"[{time.monotonic() - began:6.0f} s] {number}/{len(items)} {item.name}: {how}", flush=True)
    return done, failed


def report(
    done: Sequence[tuple[Item, Done]], layout: Layout, out: Path, scores: dict[str, ClipScores], folder: Path
) -> list[str]:
    """Write the scorer's inputs and the tables; what is said of them, in lines."""
    items = [item for item, _ in done]
    written = [*layout.index(items, out)] if items else []
    here = {
        name
        for name, how in layout.figures.items()
        if how and ((need := need_of(layout, name)) is None or need.repo in scores)
    }
    if here and items:
        written += layout.table([(item, one.figures) for item, one in done], out / OWN / "tables")
    own = own_table([(item.name, one.own) for item, one in done], out / OWN / "tables" / "vedit_figures.csv")
    lines = [f"written: {path}" for path in written]
    lines += told_of_needs(layout, here, {name for _, one in done for name in one.own})
    lines += own
    return [*lines, f"scored by: {layout.scorer.format(out=out, folder=folder)}"]


if __name__ == "__main__":
    sys.exit(main())
