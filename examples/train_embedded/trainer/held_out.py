"""How well a model restyles photographs that it never saw: figures that mean the same whatever it was trained to say.

Pictures are sampled from pure noise under the controls of the photograph and held against what the training style makes
of that photograph. Distances are those of the bench (`examples/bench_embedded/scores`), which must be importable.
"""

# The bench is a program of its own, beside this one.
# pyright: reportMissingImports=false

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scores.data import SIDE, photographs, prompt_of
from scores.metrics import high_pass, patch_sketch, psnr, sketch_distance, texture_sketch
from torch import Tensor

from trainer.ablation import Trained
from trainer.batches import rng_for
from trainer.diffusion import predict
from trainer.looks import Look, look_named
from trainer.objectives import sample, trailing
from trainer.prompts import Outfit
from trainer.twins import as_batch, disagreement, draw_motion, moved_crop, with_sensor_noise
from trainer.variants import Settings
from vedit.models.families.sd_text import token_ids
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile

BOTH, TILE, EDGES = (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)
Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One look on the held-out photographs, (N, 3, S, S) in [0, 1].

    Attributes:
        look: the look.
        source: the photographs.
        target: what the training style makes of them.
        moved: the photographs as a moving camera sees them next.
        motion: (N, 2, 3), as `trainer.twins.Motion`.
    """

    look: Look
    source: Tensor
    target: Tensor
    moved: Tensor
    motion: Tensor


def subjects(folder: Path, settings: Settings, *, split: str = "eval") -> tuple[Subject, ...]:
    """The looks of the settings on photographs of a split.

    Raises:
        FileNotFoundError: there are none.
    """
    photos = photographs(folder, split=split, count=settings.photos)
    side = settings.side
    source = middle(photos.sources(), side)
    made: list[Subject] = []
    for number, name in enumerate(settings.looks):
        look = look_named(name)
        rng = rng_for(0, 11, number)
        motions = [draw_motion(Outfit(looks=(look,)), side, side, rng) for _ in photos.pictures]
        moved: list[Tensor] = []
        for picture, motion in zip(photos.pictures, motions, strict=True):
            whole = np.round(picture * 255).astype(np.uint8)
            # The corner of the crop that `sources` and `middle` take.
            y, x = ((length - SIDE) // 2 + (SIDE - side) // 2 for length in picture.shape[:2])
            seen = with_sensor_noise(moved_crop(whole, y, x, side, side, motion), rng)
            moved.append(torch.from_numpy(seen).permute(2, 0, 1).float() / 255)
        made.append(
            Subject(
                look=look,
                source=source,
                target=middle(photos.targets(look), side),
                moved=torch.stack(moved),
                motion=torch.from_numpy(as_batch(motions)),
            )
        )
    return tuple(made)


def middle(pictures: Tensor, side: int) -> Tensor:
    """The square in the middle."""
    top, left = ((length - side) // 2 for length in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]


@torch.no_grad()
def restyled(
    trained: Trained, pictures: Tensor, prompt: str, settings: Settings, keep: tuple[float, float] = BOTH
) -> Tensor:
    """Sampled from noise that is the same at every call; `keep` weighs tile and soft-edge ControlNet."""
    networks, vae = trained.networks, trained.vae
    device = next(networks.parameters()).device
    source = pictures.to(device)
    twice = 1 if settings.guidance == 1 else 2
    # With words first, then without.
    controls = tuple(torch.cat([control] * twice) for control in (tile(source), soft_edges(source)))
    weights = torch.tensor(keep, device=device).view(2, 1, 1, 1, 1)
    said = [prompt] * len(source) + [""] * (len(source) * (twice - 1))
    with torch.autocast(device.type, torch.bfloat16):
        embeds = networks.text_encoder(token_ids(networks.tokenizer, said).to(device))[0]

    def network(x: Tensor, timestep: int) -> Tensor:
        given = torch.cat([x] * twice).contiguous(memory_format=torch.channels_last)
        at = torch.full((len(given),), timestep, device=device)
        with torch.autocast(device.type, torch.bfloat16):
            output = predict(networks, given, at, embeds, (controls[0], controls[1]), weights).float()
        if twice == 1:
            return output
        told, untold = output.chunk(2)
        return untold + settings.guidance * (told - untold)

    cell = vae_cell(trained)
    shape = (len(source), vae.config["latent_channels"], *(length // cell for length in source.shape[-2:]))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(5)).to(device)
    latents = sample(trained.objective, network, noise, trailing(settings.sampling_steps))
    return shown(trained, latents / vae.config["scaling_factor"])


def vae_cell(trained: Trained) -> int:
    """Pixels per latent cell along each side."""
    return 2 ** (len(trained.vae.config["encoder_block_out_channels"]) - 1)


def shown(trained: Trained, code: Tensor) -> Tensor:
    """Pictures in [0, 1] of the autoencoder's code."""
    return (trained.vae.decoder(code).float().clamp(-1, 1).cpu() + 1) / 2


@torch.no_grad()
def measure(trained: Trained, exam: Sequence[Subject], settings: Settings) -> Figures:
    """All figures of a model, each a mean over the looks; texture over those that draw the picture anew."""
    rows: list[Figures] = []
    device = next(trained.networks.parameters()).device
    for subject in exam:
        prompt = prompt_of(subject.look)
        result = restyled(trained, subject.source, prompt, settings)
        again = restyled(trained, subject.moved, prompt, settings)
        through = shown(trained, trained.vae.encoder(subject.target.to(device) * 2 - 1))
        rows.append(
            distances(result, subject)
            | {
                "tile": psnr(restyled(trained, subject.source, prompt, settings, TILE), subject.target),
                "edges": psnr(restyled(trained, subject.source, prompt, settings, EDGES), subject.target),
                "twins": 255 * float(disagreement(result, again, subject.motion)) ** 0.5,
                "code": psnr(through, subject.target),
            }
        )
    return mean_of(rows)


def untouched(exam: Sequence[Subject]) -> Figures:
    """The figures of the photographs as they are."""
    rows = [
        distances(subject.source, subject)
        | {"twins": 255 * float(disagreement(subject.source, subject.moved, subject.motion)) ** 0.5}
        for subject in exam
    ]
    return mean_of(rows)


def distances(result: Tensor, subject: Subject) -> Figures:
    """PSNR to the target, dB; colour and texture distance to it, over that of the source."""
    target = patch_sketch(subject.target)
    figures = {"psnr": psnr(result, subject.target), "colour": _ratio(result, subject, target)}
    if subject.look.kind in ("medium", "material"):
        fine = patch_sketch(high_pass(subject.target))
        away, begun = (
            sketch_distance(texture_sketch(pictures, subject.target), fine) for pictures in (result, subject.source)
        )
        figures["texture"] = away / begun
    return figures


def _ratio(result: Tensor, subject: Subject, target: Tensor) -> float:
    return sketch_distance(patch_sketch(result), target) / sketch_distance(patch_sketch(subject.source), target)


def mean_of(rows: Sequence[Figures]) -> Figures:
    """Each figure's mean over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
