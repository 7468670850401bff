"""Measure the embedded model, or another folder of its kind, and print tables with their bars.

    python examples/bench_embedded/bench.py                                  every part, some 45 core-minutes
    python examples/bench_embedded/bench.py --only speed                     one part; the others are kept
    python examples/bench_embedded/bench.py --weights DIR --photos 2 --frames 4 --looks night comic

Writes figures.json, figures.md and sheet.png under build/bench_embedded (a folder of its own for other weights). What
the parts mean is in docs/embedded.md. Test data is found through VEDIT_TEST_DATA, by default ../shared.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# As the command line does: threads that spin while they wait slow small networks down. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
# The targets are the training styles': the trainer is a program of its own, beside this one.
sys.path.append(str(Path(__file__).parents[1] / "train_embedded"))

from scores.data import looks_of, pairs_of, photographs
from scores.detail import detail_table, keeping, write_sheet
from scores.lattice import lattice_table
from scores.motion import motion_table
from scores.rendering import Settings, Subject, load_subject
from scores.report import PARTS, Table, document, keep, markdown, read_figures, write_figures
from scores.speed import speed_table
from scores.steadiness import steadiness_table, strength_table
from scores.stills import (
    Stills,
    autoencoder_table,
    colour_table,
    nearest_table,
    pairs_table,
    render_stills,
    texture_table,
)
from trainer.looks import Look, look_named

from vedit.embedded import FOLDER

STILL_PARTS = ("colour", "pairs", "texture", "nearest", "autoencoder")
MOTION_LOOKS = ("watercolor", "comic", "night", "oil painting", "pencil sketch", "winter", "sepia", "neon")
LATTICE_LOOKS = ("neon", "night", "gold", "bronze", "oil painting", "watercolor")
STRENGTH_LOOKS = ("watercolor", "pencil sketch", "comic", "night")
SHEET_LOOKS = ("watercolor", "pencil sketch", "night", "comic")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared"))
    parser.add_argument("--weights", type=Path, default=FOLDER, help="a diffusers folder of the embedded model's kind")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, by commas: {', '.join(PARTS)}")
    parser.add_argument("--looks", nargs="+", metavar="LOOK", help="names of looks; each part's own where not given")
    parser.add_argument("--photos", type=int, default=6, help="held-out photographs for each look")
    parser.add_argument("--fit-photos", type=int, default=16, help="training photographs that fit the colour map")
    parser.add_argument("--clips", type=int, default=3, help="clips of the motion part")
    parser.add_argument("--frames", type=int, default=6, help="frames of a clip, in the motion part")
    parser.add_argument("--across", type=int, default=3, help="looks that are also run with cross-frame attention")
    parser.add_argument("--detail-frames", type=int, default=2)
    parser.add_argument("--speed-frames", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the speed part")
    parser.add_argument("--quality", choices=["draft", "standard"], default="standard")
    for name in ("guidance", "strength", "tile", "softedge"):
        parser.add_argument(f"--{name}", type=float, help="in place of vedit's default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=data, help="folder with photos/ and clips/real/")
    parser.add_argument("--out", type=Path, help="where figures go")
    args = parser.parse_args()
    args.only = tuple(part.strip() for part in args.only.split(","))
    if unknown := [part for part in args.only if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}; use {', '.join(PARTS)}")
    if not (args.weights / "model_index.json").is_file():
        parser.error(f"{args.weights} is not a diffusers folder: it has no model_index.json")
    known = [look.name for look in looks_of(args.weights)]
    if unknown := [name for name in args.looks or () if name not in known]:
        parser.error(f"no look {unknown[0]!r}; use {', '.join(known)}")
    if not args.data.is_dir():
        parser.error(f"no test data at {args.data}; set VEDIT_TEST_DATA")
    if args.out is None:
        base = Path("build/bench_embedded")
        args.out = base if args.weights.resolve() == FOLDER else base / args.weights.resolve().name
    return args


def main() -> None:
    args = arguments()
    settings = Settings(
        quality=args.quality,
        guidance=args.guidance,
        strength=args.strength,
        tile=args.tile,
        softedge=args.softedge,
        seed=args.seed,
    )
    subject = load_subject(args.weights.resolve(), settings, args.out / "pictures")
    figures = read_figures(args.out / "figures.json", subject.weights)
    began = time.monotonic()

    def log(text: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {text}", flush=True)

    def done(part: str, table: Table) -> None:
        keep(figures, part, table)
        write_figures(figures, args.out)
        print(f"\n{markdown(table)}", flush=True)

    measure_stills(args, subject, done, log)
    measure_steadiness(args, subject, done, log)
    clips = args.data / "clips" / "real"
    if "motion" in args.only:
        text = (
            f"{args.frames} frames of {args.clips} clips, the middle 256x256 at a short side of 256; raw decoded "
            f"results, and as rendered; flow by OpenCV DIS, medium; {settings.text()}"
        )
        looks = chosen(args.looks, MOTION_LOOKS)
        counts = {"clips": args.clips, "frames": args.frames, "across": args.across}
        done("motion", motion_table(subject, looks, clips, **counts, settings=text, log=log))
    if "detail" in args.only:
        looks = keeping(chosen(args.looks, ()))
        text = f"{args.detail_frames} frames of each 720p clip, at full size before encoding; {settings.text()}"
        done("detail", detail_table(subject, looks, clips, frames=args.detail_frames, settings=text, log=log))
    if "speed" in args.only:
        done("speed", speed_table(subject, frames=args.speed_frames, rounds=args.rounds, log=log))
    if "sheet" in args.only:
        looks = chosen(args.looks, SHEET_LOOKS)[:4]
        done("sheet", write_sheet(subject, looks, clips, args.out / "sheet.png", log=log))
    print(document(figures).split("\n\n## ")[0])
    print(f"\n{args.out / 'figures.md'}\n{args.out / 'figures.json'}")


def measure_stills(
    args: argparse.Namespace, subject: Subject, done: Callable[[str, Table], None], log: Callable[[str], None]
) -> None:
    """The parts that look at restyled photographs; each look is rendered once for all of them."""
    if not set(args.only) & set(STILL_PARTS):
        return
    folder: Path = args.data / "photos"
    held_out = photographs(folder, split="eval", count=args.photos)
    fitting = photographs(folder, split="train", count=args.fit_photos, seed=1)
    known = looks_of(args.weights)
    looks = chosen(args.looks, tuple(look.name for look in known))
    text = f"{len(held_out.names)} held-out photographs at 256x256, {len(looks)} looks; {subject.settings.text()}"
    stills: list[Stills] = []
    for made in render_stills(subject, looks, held_out, fitting):
        stills.append(made)
        log(f"rendered {made.look.name} ({len(stills)} of {len(looks)})")
    if "colour" in args.only:
        done("colour", colour_table(stills, text, log))
    if "pairs" in args.only and (pairs := pairs_of(looks)):
        done("pairs", pairs_table(subject, pairs, held_out, text.replace(f"{len(looks)} looks", "pairs"), log))
    if "texture" in args.only:
        done("texture", texture_table(subject, stills, text, log))
    if "nearest" in args.only:
        done("nearest", nearest_table(stills, held_out, known, text, log))
    if "autoencoder" in args.only:
        more = photographs(folder, split="eval", count=4 * args.photos).sources()
        done("autoencoder", autoencoder_table(subject, stills, more, "decode(encode(x)) at 256x256"))


def measure_steadiness(
    args: argparse.Namespace, subject: Subject, done: Callable[[str, Table], None], log: Callable[[str], None]
) -> None:
    """The parts on photographs that need no rendering of every look."""
    if "lattice" in args.only:
        looks = chosen(args.looks, LATTICE_LOOKS)
        candidates = photographs(args.data / "photos", split="eval", count=4 * args.photos)
        text = f"{len(candidates.names)} held-out photographs at 256x256; {subject.settings.text()}"
        done("lattice", lattice_table(subject, looks, candidates, count=args.photos, settings=text, log=log))
    if not set(args.only) & {"steadiness", "strength"}:
        return
    held_out = photographs(args.data / "photos", split="eval", count=args.photos)
    text = f"{len(held_out.names)} held-out photographs at 256x256"
    if "steadiness" in args.only:
        done("steadiness", steadiness_table(subject, held_out.sources(), f"{text}; decode(encode(x))"))
    if "strength" in args.only:
        looks = chosen(args.looks, STRENGTH_LOOKS)
        done("strength", strength_table(subject, looks, held_out, f"{text}; {subject.settings.text()}", log))


def chosen(names: Sequence[str] | None, otherwise: Sequence[str]) -> tuple[Look, ...]:
    return tuple(look_named(name) for name in names or otherwise)


if __name__ == "__main__":
    main()
