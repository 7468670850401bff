"""Sheets to look at: the looks as they are made, and what a checkpoint makes of held-out photographs.

python -m trainer.preview looks --photos DIR --out sheets/            (from examples/train_embedded)
python -m trainer.preview looks --photos DIR --out sheets/ --looks night bronze --modifier heavy
python -m trainer.preview samples --photos DIR --checkpoint FOLDER --out sheet.png
python -m trainer.preview psnr --photos DIR --checkpoint FOLDER
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline
from torch import Tensor

from trainer.looks import LOOKS, PALETTES, STRENGTHS, Look, look_named
from trainer.photos import Image, find_photos, read_photo
from trainer.plots import write_rows, write_sheet
from trainer.styles import dress
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile


def held_out(folder: Path, count: int, *, side: int = 288) -> list[Image]:
    """`count` pictures spread over the eval split, cut to a square; the train split where there is no other."""
    try:
        photos = find_photos(folder, split="eval")
    except FileNotFoundError:
        photos = find_photos(folder)
    large = [p for photo in photos if min((p := read_photo(photo.path)).shape[:2]) >= side]
    # The middle of each part of the list: photographs from one place often lie side by side.
    return [large[(2 * i + 1) * len(large) // (2 * count)][:side, :side] for i in range(count)]


def styled(picture: Image, look: Look, *, seed: int, strength: str | None = None, palette: str | None = None) -> Image:
    """One photograph in one look."""
    rng = np.random.default_rng(seed)
    made = dress(picture.astype(np.float32) / 255, (look,), rng, strength=strength, palette=palette)
    return np.round(made * 255).astype(np.uint8)


def write_looks(
    pictures: list[Image],
    looks: tuple[Look, ...],
    folder: Path,
    *,
    seed: int,
    strength: str | None = None,
    palette: str | None = None,
    per_sheet: int = 4,
) -> tuple[Path, ...]:
    """Sheets of `per_sheet` looks each, at full size: a row of sources, then a row for every look."""
    written: list[Path] = []
    altered = " ".join(word for word in (strength, palette) if word)
    for first in range(0, len(looks), per_sheet):
        some = looks[first : first + per_sheet]
        rows = [[styled(p, look, seed=seed, strength=strength, palette=palette) for p in pictures] for look in some]
        captions = [f"{look.name}, {altered}" if altered else look.name for look in some]
        written.append(folder / f"looks-{first // per_sheet:02d}.png")
        write_rows([pictures, *rows], ["source", *captions], written[-1])
    return tuple(written)


def as_tensor(pictures: list[Image]) -> Tensor:
    """(N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def sample(
    checkpoint: Path,
    pictures: list[Image],
    prompts: list[str],
    *,
    steps: int = 12,
    strength: float = 0.9,
    guidance: float = 3.0,
    seed: int = 0,
) -> list[list[Image]]:
    """diffusers' own image-to-image pipeline on every picture under every prompt; one row per picture."""
    pipeline = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    source = as_tensor(pictures)
    columns: list[list[Image]] = []
    for prompt in prompts:
        out: Any = pipeline(
            [prompt] * len(pictures),
            image=source,
            control_image=[tile(source), soft_edges(source)],
            num_inference_steps=steps,
            strength=strength,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed) for _ in pictures],
            output_type="np",
        )
        columns.append([np.round(image * 255).astype(np.uint8) for image in out.images])
    return [[picture, *(column[row] for column in columns)] for row, picture in enumerate(pictures)]


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderTiny, pictures: list[Image]) -> float:
    """Mean over pictures of the PSNR of decode(encode(x)), in dB."""
    values: list[float] = []
    for picture in pictures:
        x = as_tensor([picture]) * 2 - 1
        decoded: Tensor = vae.decoder(vae.encoder(x))
        error = (decoded.clamp(-1, 1) - x).square().mean()
        values.append(float(10 * torch.log10(4 / error)))
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["looks", "samples", "psnr"])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--prompts", nargs="*", default=[look.wordings[1] for look in LOOKS])
    parser.add_argument("--files", nargs="*", help="names of photographs, in place of those spread over the split")
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument("--looks", nargs="*", help="of the looks' sheets; all by default")
    parser.add_argument("--modifier", choices=[m.name for m in STRENGTHS], help="of the looks' sheets")
    parser.add_argument("--palette", choices=[m.name for m in PALETTES], help="of the looks' sheets")
    parser.add_argument("--strength", type=float, default=0.9)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.files:
        pictures = [read_photo(args.photos / name)[:288, :288] for name in args.files]
    else:
        pictures = held_out(args.photos, args.pictures)
    if args.what == "psnr":
        vae = AutoencoderTiny.from_pretrained(args.checkpoint, subfolder="vae")
        print(f"{reconstruction_psnr(vae, pictures):.2f} dB over {len(pictures)} pictures")
    elif args.what == "looks":
        looks = tuple(look_named(name) for name in args.looks or (look.name for look in LOOKS if look.kind != "plain"))
        altered = {"strength": args.modifier, "palette": args.palette}
        for path in write_looks(pictures, looks, args.out, seed=args.seed, **altered):
            print(path)
    else:
        rows = sample(
            args.checkpoint, pictures, args.prompts, strength=args.strength, guidance=args.guidance, seed=args.seed
        )
        write_sheet(rows, ["source", *args.prompts], args.out)


if __name__ == "__main__":
    main()
