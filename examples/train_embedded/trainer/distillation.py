"""Few-step distillation: one unguided step of the student lands where several guided steps of the teacher land.

Progressive distillation (Salimans & Ho 2022, arXiv 2202.00512) with the teacher's guidance in the target (Meng et al.
2023, arXiv 2210.03142). Both share every weight but the student's low-rank change of the UNet; the ControlNets'
residuals are the teacher's. Salimans & Ho begin at noised pictures only. A draft begins at the inverted source, and
its later steps at what the student itself made of it: a part of the batches begins there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from trainer.batches import Batch, iterate_batches
from trainer.loop import Loss
from trainer.pairs import make_pairs
from vedit.diffusion.few_steps import leap, through
from vedit.diffusion.guiders import classifier_free
from vedit.diffusion.trajectory import Step, Trajectory, cleaner
from vedit.models.fast import FastTier
from vedit.models.sd import Model
from vedit.options import RestyleOptions
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile

DROP_CONTROL = 0.08
"""How often each ControlNet alone is silenced: more rarely than the teacher learnt, whose steps only are copied."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the networks see of a batch beside its latents, N pictures.

    Attributes:
        words, nothing, source: embeddings (N, L, D) of the prompts, of no prompt, and of what sources are inverted
            under.
        controls: tile and soft edges, each (N, 3, H, W) in [0, 1].
        keep: (2, N, 1, 1, 1), what each control is weighed by.
    """

    words: Tensor
    nothing: Tensor
    source: Tensor
    controls: tuple[Tensor, Tensor]
    keep: Tensor


def refined(timesteps: Sequence[int], parts: int) -> tuple[int, ...]:
    """Each step cut into `parts` steps of about the same number of timesteps, the last one as if it ended at 0."""
    ends = [*timesteps[1:], 0]
    return tuple(
        round(start + (end - start) * part / parts)
        for start, end in zip(timesteps, ends, strict=True)
        for part in range(parts)
    )


def velocity_between(x: Tensor, landed: Tensor, step: Step) -> Tensor:
    """The v that takes `x` at the step's noisy end to `landed` at its clean end in one DDIM step.

    Salimans & Ho 2022, appendix D: in v a step is the rotation landed = cos(d) x - sin(d) v by the difference d of the
    two levels' angles; their appendix G asks for the same of x0.
    """
    cosine = sqrt(step.alpha * step.alpha_cleaner) + sqrt((1 - step.alpha) * (1 - step.alpha_cleaner))
    sine = sqrt((1 - step.alpha) * step.alpha_cleaner) - sqrt(step.alpha * (1 - step.alpha_cleaner))
    return (cosine * x - landed) / sine


class Teacher:
    """A finished model as the teacher, in float32 on a device.

    Args:
        model: from `vedit.models.load` on the CPU, v-prediction, with its tile and soft-edge ControlNets.
        guidance: what its steps are guided with.
    """

    def __init__(self, model: Model, *, guidance: float, device: torch.device) -> None:
        self.model = model
        self.unet = model.denoiser.unet
        self.nets: tuple[ControlNetModel, ...] = tuple(model.denoiser.controlnets[k] for k in ("tile", "softedge"))
        self.guidance = guidance
        self.device = device
        for module in (self.unet, model.codec.vae, model.text.encoder, *self.nets):
            nn.Module.to(module, device)

    @torch.no_grad()
    def scene(self, batch: Batch, keep: Tensor) -> Scene:
        """What the networks see of a batch of pairs."""
        source = torch.from_numpy(batch["source"]).to(self.device).float() / 255
        prompts: list[str] = batch["prompt"].tolist()
        return Scene(
            words=self._embeds(prompts),
            nothing=self._embeds([""] * len(prompts)),
            source=self._embeds([RestyleOptions().source_prompt] * len(prompts)),
            controls=(tile(source), soft_edges(source)),
            keep=keep.to(self.device),
        )

    @torch.no_grad()
    def encoded(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> scaled latents (N, C, h, w)."""
        return self.model.codec.encode(pictures.to(self.device)).clone()  # a clone may enter a graph, the original not

    @torch.no_grad()
    def residuals(self, x: Tensor, timestep: int, scene: Scene) -> list[Tensor]:
        """What both ControlNets add to the UNet, the middle block's last."""
        total: list[Tensor] = []
        for net, control, weight in zip(self.nets, scene.controls, scene.keep, strict=True):
            with torch.autocast(self.device.type, torch.bfloat16):
                down, middle = net(x, timestep, scene.words, control, return_dict=False)
            scaled = [residual * weight for residual in (*down, middle)]
            total = [a + b for a, b in zip(total, scaled, strict=True)] if total else scaled
        return total

    @torch.no_grad()
    def landed(self, x: Tensor, steps: Sequence[Step], scene: Scene, added: list[Tensor]) -> Tensor:
        """Where guided steps lead; `added` are the residuals of the first."""
        words = torch.cat([scene.words, scene.nothing])
        for number, step in enumerate(steps):
            own = added if number == 0 else self.residuals(x, step.timestep, scene)
            twice = [torch.cat([residual, residual]) for residual in own]
            output = velocity(self.unet, torch.cat([x, x]), step.timestep, words, twice)
            x = cleaner(x, classifier_free(*output.chunk(2), scale=self.guidance), step, "v_prediction")
        return x

    @torch.no_grad()
    def inverted(self, clean: Tensor, path: Trajectory, scene: Scene) -> Tensor:
        """Where the tier's inversion leads, as at inference."""

        def denoise(x: Tensor, step: Step) -> Tensor:
            added = self.residuals(x, step.timestep, scene)
            return velocity(self.unet, x, step.timestep, scene.source, added)

        return leap(denoise, clean, path)

    def _embeds(self, prompts: list[str]) -> Tensor:
        text = self.model.text
        ids = text.tokenizer(
            prompts,
            padding="max_length",
            max_length=text.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return text.encoder(ids.to(self.device))[0]


def velocity(unet: UNet2DConditionModel, x: Tensor, timestep: int, words: Tensor, added: list[Tensor]) -> Tensor:
    """v (N, C, h, w), float32."""
    with torch.autocast(x.device.type, torch.bfloat16):
        output = unet(
            x.contiguous(memory_format=torch.channels_last),
            timestep,
            words,
            down_block_additional_residuals=tuple(added[:-1]),
            mid_block_additional_residual=added[-1],
            return_dict=False,
        )[0]
    return output.float()


def distillation_loss(
    teacher: Teacher,
    student: UNet2DConditionModel,
    tier: FastTier,
    *,
    parts: int,
    inverted: float,
    packs: Path,
    seed: int,
    workers: int,
) -> Callable[[int], Loss]:
    """For `run_loop`: pairs in, mean square of the student's error in v out.

    Args:
        teacher: its weights are the student's without the change.
        student: a copy of the teacher's UNet with a change that learns.
        tier: the student's trajectories.
        parts: guided steps of the teacher to one of the student.
        inverted: the share of batches, in [0, 1], that begin at inverted sources.
        packs: of `train.py`.
    """
    config = teacher.model.scheduler_config
    coarse, fine = through(config, tier.sampling), through(config, refined(tier.sampling, parts))
    up = through(config, tier.stops(1.0))
    if coarse.prediction != "v_prediction":
        raise ValueError(f"the teacher predicts {coarse.prediction}, not v")

    def start(first: int) -> Loss:
        batches = iterate_batches(partial(make_pairs, seed=seed, packs=packs), start=first, workers=workers)

        def loss(number: int) -> tuple[Tensor, dict[str, float]]:
            batch = next(batches)
            # Every draw is a function of (seed, number): a resumed run draws the same.
            generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
            index = int(torch.randint(len(coarse.steps), (), generator=generator))
            from_source = bool(torch.rand((), generator=generator) < inverted)
            keep = (torch.rand(2, len(batch["source"]), 1, 1, 1, generator=generator) > DROP_CONTROL).float()
            scene, step = teacher.scene(batch, keep), coarse.steps[index]
            picture = torch.from_numpy(batch["source" if from_source else "target"]).float() / 255
            x = teacher.encoded(picture)
            if from_source:
                x = teacher.inverted(x, up, scene)
                with torch.no_grad():
                    for before in coarse.steps[:index]:
                        added = teacher.residuals(x, before.timestep, scene)
                        output = velocity(student, x, before.timestep, scene.words, added)
                        x = cleaner(x, output, before, "v_prediction")
            else:
                noise = torch.randn(x.shape, generator=generator).to(x)
                x = sqrt(step.alpha) * x + sqrt(1 - step.alpha) * noise
            added = teacher.residuals(x, step.timestep, scene)
            landed = teacher.landed(x, fine.steps[index * parts : (index + 1) * parts], scene, added)
            wanted = velocity_between(x, landed, step)
            predicted = velocity(student, x, step.timestep, scene.words, added)
            return F.mse_loss(predicted, wanted), {}

        return loss

    return start
