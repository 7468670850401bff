"""Sheets to look at: the looks as they are made, and what a checkpoint makes of held-out photographs.

python -m trainer.preview looks --photos DIR --out sheet.png          (from examples/train_embedded)
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

from trainer.looks import LOOKS, Look
from trainer.photos import Image, find_photos, read_photo
from trainer.plots import write_sheet
from trainer.styles import dress
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile


def held_out(folder: Path, count: int, *, side: int = 256) -> list[Image]:
    """`count` pictures spread over the eval split, cut to a square; the train split where there is no other."""
    try:
        photos = find_photos(folder, split="eval")
    except FileNotFoundError:
        photos = find_photos(folder)
    chosen = [photos[i * len(photos) // count] for i in range(count)]
    return [read_photo(photo.path)[:side, :side] for photo in chosen]


def looks_sheet(pictures: list[Image], looks: tuple[Look, ...], *, seed: int) -> list[list[Image]]:
    """One row per picture, one column per look."""
    return [
        [
            np.round(dress(p.astype(np.float32) / 255, (look,), np.random.default_rng(seed)) * 255).astype(np.uint8)
            for look in looks
        ]
        for p in pictures
    ]


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
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument("--strength", type=float, default=0.9)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    pictures = held_out(args.photos, args.pictures)
    if args.what == "psnr":
        vae = AutoencoderTiny.from_pretrained(args.checkpoint, subfolder="vae")
        print(f"{reconstruction_psnr(vae, pictures):.2f} dB over {len(pictures)} pictures")
    elif args.what == "looks":
        write_sheet(looks_sheet(pictures, LOOKS, seed=args.seed), [look.name for look in LOOKS], args.out)
    else:
        rows = sample(
            args.checkpoint, pictures, args.prompts, strength=args.strength, guidance=args.guidance, seed=args.seed
        )
        write_sheet(rows, ["source", *args.prompts], args.out)


if __name__ == "__main__":
    main()
