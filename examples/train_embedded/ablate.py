"""Train small variants of the embedded model that differ in one choice each, and print a table of how well they do.

    python examples/train_embedded/ablate.py --out build/ablation --photos DIR

Needs the packed pictures that train.py leaves in its --work, and photographs that a manifest sets apart for measuring.
As given it takes some 20 core-minutes; ended or killed, the same command goes on with the variants that are missing.
Writes ablation.json and ablation.md into --out. At full size, on a GPU (a CUDA device is used where there is one):

    python examples/train_embedded/ablate.py --out build/ablation-full --photos DIR --steps 20000 \\
        --autoencoder-steps 8000 --widths 64 128 192 --crop 128 --batch 128 --pictures 14000 --held-out 24 \\
        --side 256 --sampling-steps 12 --workers 14 --looks "oil painting" watercolor comic "pencil sketch" gold night
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# The distances are the bench's, a program of its own beside this one.
sys.path.append(str(Path(__file__).resolve().parents[1] / "bench_embedded"))

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from trainer.ablation import pack_looks, train_variant, trained_autoencoder
from trainer.held_out import Figures, measure, subjects, untouched
from trainer.looks import LOOKS
from trainer.variants import BASE_SEEDS, VARIANTS, Settings, Variant

LOOKS_LEARNT = ("watercolor", "pencil sketch", "gold", "night")
COLUMNS = {
    "psnr": "PSNR, dB",
    "tile": "tile alone, dB",
    "edges": "edges alone, dB",
    "colour": "colour",
    "texture": "texture",
    "twins": "twins",
    "code": "autoencoder, dB",
}
LEGEND = """PSNR is of the restyled held-out photograph to its paired target, also with one ControlNet alone. Colour and
texture are distances to the target over those of the photograph (0: as the target, 1: no nearer than the photograph).
Twins is how far two views of a scene differ once restyled, root mean square in levels of 255; a blurred picture has
less of it. Autoencoder is the PSNR of the targets through the autoencoder alone. A figure is **bold** where it differs
from that of the variant it is held beside by more than the seeds of the base differ among themselves (last row)."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("VEDIT_TEST_DATA")
    photos = Path(data) / "photos" if data else None
    parser.add_argument("--photos", type=Path, default=photos, required=photos is None, help="with an eval split")
    parser.add_argument("--packs", type=Path, default=Path("build/train_embedded/packs"), help="train.py's pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of the table")
    parser.add_argument("--work", type=Path, help="states on the way; by default OUT/work")
    parser.add_argument("--only", nargs="+", metavar="VARIANT", help="names of variants; all by default")
    parser.add_argument("--steps", type=int, default=160, help="of each variant")
    parser.add_argument("--autoencoder-steps", type=int, default=60)
    parser.add_argument("--widths", type=int, nargs=3, default=[32, 64, 96], help="multiples of 32")
    parser.add_argument("--crop", type=int, default=64, help="side of the training crops, a multiple of 32")
    parser.add_argument("--batch", type=int, default=8, help="pictures, twins included")
    parser.add_argument("--looks", nargs="+", default=list(LOOKS_LEARNT))
    parser.add_argument("--pictures", type=int, default=400, help="styled pictures to learn from, at most")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--held-out", type=int, default=4, help="photographs to measure with")
    parser.add_argument("--side", type=int, default=128, help="of the pictures measured, a multiple of 32, at most 256")
    parser.add_argument("--sampling-steps", type=int, default=6)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches; 0: none")
    args = parser.parse_args()
    args.work = args.work or args.out / "work"
    known = {"variant": {v.name for v in VARIANTS}, "look": {look.name for look in LOOKS}}
    for kind, names in (("variant", args.only or ()), ("look", args.looks)):
        if unknown := [name for name in names if name not in known[kind]]:
            parser.error(f"no {kind} {unknown[0]!r}; use {', '.join(sorted(known[kind]))}")
    sides = (args.crop, args.side, *args.widths)
    if min(sides) < 32 or any(side % 32 for side in sides) or args.side > 256:
        parser.error("--crop, --side and --widths must be multiples of 32, --side at most 256")
    counts = (args.steps, args.autoencoder_steps, args.batch - 1, args.pictures, args.held_out, args.sampling_steps)
    if min(counts) < 1:
        parser.error("steps and counts must be at least 1, --batch at least 2")
    if not (args.packs / "photos.json").is_file():
        parser.error(f"no packed pictures in {args.packs}: make them with train.py, or name its WORK/packs")
    return args


def settings_of(args: argparse.Namespace) -> Settings:
    return Settings(
        steps=args.steps,
        autoencoder_steps=args.autoencoder_steps,
        widths=tuple(args.widths),
        crop=args.crop,
        batch=args.batch,
        looks=tuple(args.looks),
        pictures=args.pictures,
        rate=args.rate,
        photos=args.held_out,
        side=args.side,
        sampling_steps=args.sampling_steps,
        guidance=args.guidance,
    )


def main() -> None:
    args = arguments()
    settings = settings_of(args)
    chosen = [variant for variant in VARIANTS if not args.only or variant.name in args.only]
    try:
        table = read_table(args.out / "ablation.json", settings)
        run(table, chosen, settings, args)
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    write_table(table, args.out)
    print(markdown(table))


def run(table: dict[str, Any], chosen: Sequence[Variant], settings: Settings, args: argparse.Namespace) -> None:
    """Train, measure and write down every variant that the table does not hold yet."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    missing = [
        variant for variant in chosen if table["rows"].get(variant.name, {}).get("variant") != described(variant)
    ]
    if not missing:
        return
    exam = subjects(args.photos, settings)
    table["untouched"] = untouched(exam)
    work = args.work / settings.digest
    packs = work / "packs"
    if not (packs / "styled" / "00000.json").is_file():
        print(f"{pack_looks(args.packs, packs, settings.looks, count=settings.pictures)} styled pictures", flush=True)
    autoencoders: dict[int, AutoencoderTiny] = {}
    for variant in missing:
        began = time.monotonic()
        if variant.latents not in autoencoders:
            autoencoders[variant.latents] = trained_autoencoder(
                variant.latents, settings, packs=packs, work=work, workers=args.workers, device=device
            )
        vae = autoencoders[variant.latents]
        trained = train_variant(variant, vae, settings, packs=packs, work=work, workers=args.workers)
        trained_s = time.monotonic() - began
        parameters = sum(p.numel() for p in trained.networks.parameters()) / 1e6
        figures = measure(trained, exam, settings)
        table["rows"][variant.name] = {
            "variant": described(variant),
            "figures": figures,
            "parameters_m": round(parameters, 2),
            "trained_s": round(trained_s, 1),
            "measured_s": round(time.monotonic() - began - trained_s, 1),
        }
        write_table(table, args.out)
        print(f"{variant.name}: " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)


def described(variant: Variant) -> dict[str, Any]:
    """As JSON gives it back."""
    return json.loads(json.dumps(asdict(variant)))


def read_table(path: Path, settings: Settings) -> dict[str, Any]:
    """What earlier runs measured.

    Raises:
        ValueError: under other settings.
    """
    if not path.is_file():
        return {"settings": settings.as_json(), "rows": {}}
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, value in settings.as_json().items():
        if (before := table["settings"].get(name)) != value:
            raise ValueError(f"{path} is of other settings ({name} {before}, not {value}): give another --out")
    return table


def write_table(table: Mapping[str, Any], folder: Path) -> None:
    """ablation.json and ablation.md, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("ablation.json", json.dumps(table, indent=1) + "\n"), ("ablation.md", markdown(table))):
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / name)


def markdown(table: Mapping[str, Any]) -> str:
    """The settings in one line, the table, and how to read it."""
    rows: dict[str, dict[str, Any]] = table["rows"]
    done = [variant for variant in VARIANTS if variant.name in rows]
    spread = spread_of([rows[name]["figures"] for name in BASE_SEEDS if name in rows])
    seconds = sum(row["trained_s"] + row["measured_s"] for row in rows.values())
    said = ", ".join(f"{name} {_plainly(value)}" for name, value in table["settings"].items())
    lines = [f"Settings: {said}; seed 0 where no other is named; {len(done)} variants in {seconds:.0f} s.", ""]
    lines += [_line(["group", "variant", *COLUMNS.values(), "M parameters"]), _line(["---"] * (len(COLUMNS) + 3))]
    lines.append(_line(["", "the photograph as it is", *_cells(table.get("untouched", {}), {}, {}), ""]))
    for variant in done:
        row = rows[variant.name]
        beside = {} if variant.name in BASE_SEEDS else rows.get(variant.beside, {}).get("figures", {})
        name = variant.name if variant.beside in BASE_SEEDS else f"{variant.name} (beside: {variant.beside})"
        cells = _cells(row["figures"], beside, spread)
        lines.append(_line([variant.group, name, *cells, f"{row['parameters_m']:.2f}"]))
    if spread:
        lines.append(_line(["", "largest difference of the base's seeds", *_cells(spread, {}, {}), ""]))
    return "\n".join([*lines, "", LEGEND, ""])


def spread_of(figures: Sequence[Figures]) -> Figures:
    """The range of each figure over the seeds of the base; nothing where there is one seed."""
    if len(figures) < 2:
        return {}
    return {name: max(f[name] for f in figures) - min(f[name] for f in figures) for name in figures[0]}


def _cells(figures: Figures, beside: Figures, spread: Figures) -> list[str]:
    """One for each column, bold where the difference to `beside` is more than the spread."""
    cells: list[str] = []
    for name in COLUMNS:
        if name not in figures:
            cells.append("")
            continue
        text = f"{figures[name]:.3f}" if name in ("colour", "texture") else f"{figures[name]:.2f}"
        # Of a part that the seeds share there is no spread to hold it against.
        stands_out = name in beside and abs(figures[name] - beside[name]) > spread.get(name, 0) > 0
        cells.append(f"**{text}**" if stands_out else text)
    return cells


def _plainly(value: object) -> str:
    return "/".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
