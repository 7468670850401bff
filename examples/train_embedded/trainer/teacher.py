"""A finished model as the teacher of a few-step one: what it sees of a batch, and where its steps lead."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from trainer.batches import Batch
from trainer.courses import VELOCITY, Course, climbed
from vedit.diffusion.guiders import classifier_free
from vedit.diffusion.steps import Step
from vedit.diffusion.trajectory import PreservingStep
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_text import token_ids
from vedit.options.request import RestyleOptions
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile


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


class Teacher:
    """A finished model as the teacher, in float32 on a device.

    Args:
        model: from `vedit.models.load.load` on the CPU, v-prediction, with its tile and soft-edge ControlNets.
        guidance: what its steps are guided with.
    """

    def __init__(self, model: SDModel, *, guidance: float, device: torch.device) -> None:
        self.model = model
        self.unet = model.denoiser.unet
        self.nets = tuple(cast(ControlNetModel, model.denoiser.controlnets[k]) for k in ("tile", "softedge"))
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
    def landed(self, x: Tensor, steps: Sequence[PreservingStep], scene: Scene, added: list[Tensor]) -> Tensor:
        """Where guided steps lead; `added` are the residuals of the first."""
        words = torch.cat([scene.words, scene.nothing])
        for number, step in enumerate(steps):
            own = added if number == 0 else self.residuals(x, step.timestep, scene)
            twice = [torch.cat([residual, residual]) for residual in own]
            output = velocity(self.unet, torch.cat([x, x]), step.timestep, words, twice)
            x = VELOCITY.cleaner(x, classifier_free(*output.chunk(2), scale=self.guidance), step)
        return x

    @torch.no_grad()
    def inverted(self, clean: Tensor, course: Course, scene: Scene) -> Tensor:
        """Where the tier's inversion leads (`trainer.courses.climbed`)."""

        def denoise(x: Tensor, step: Step) -> Tensor:
            timestep = round(step.level)
            added = self.residuals(x, timestep, scene)
            return velocity(self.unet, x, timestep, scene.source, added)

        return climbed(denoise, clean, course.up, leaping=course.leaps)

    def _embeds(self, prompts: list[str]) -> Tensor:
        text = self.model.text
        return text.encoder(token_ids(text.tokenizer, prompts).to(self.device))[0]


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
