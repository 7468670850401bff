"""diffusers' ControlNet image-to-image, frame by frame, on the very modules that vedit uses.

It has the same weights (the fast tier's too, where vedit samples with them), control maps, prompt, guidance and working
size, and as many network evaluations a frame; it inverts nothing, so all of them are sampling steps. Its frames
are enlarged as `upscale='lanczos'` does and written without loss. With fixed noise every frame is drawn from one seed,
with fresh noise each from its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import torch
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline

import vedit
from vedit.control_maps.maps import control_maps
from vedit.diffusion.trajectory import ddim_scheduler
from vedit.finishing.upsample import upsample_change
from vedit.geometry import fit, unfit, working_fit
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.recipes import by_recipe
from vedit.models.resolve import resolve
from vedit.options.request import QualityName, RestyleOptions
from vedit.pipelines.restyle import prepare
from vedit.ranges import to_integer
from vedit.render.evaluations import evaluations
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

KINDS = ("tile", "softedge")


@dataclass(frozen=True, kw_only=True)
class PeerVariant:
    """One column of the table."""

    name: str
    label: str
    tells: str
    fresh: bool
    """A seed of its own for each frame."""


PEERS = (
    PeerVariant(
        name="diffusers-fixed",
        label="diffusers, fixed",
        tells="diffusers' ControlNet image-to-image, frame by frame, each from the same noise",
        fresh=False,
    ),
    PeerVariant(
        name="diffusers-fresh",
        label="diffusers, fresh",
        tells="the same, each frame from noise of its own",
        fresh=True,
    ),
)


class Peer:
    """The pipeline over a model's modules, loaded once."""

    def __init__(self, model: str) -> None:
        self._ref = resolve(model)
        self._model: SDModel = load_sd(self._ref, controls=KINDS)
        nets = [self._model.denoiser.controlnets[kind] for kind in KINDS]
        self._pipeline = StableDiffusionControlNetImg2ImgPipeline(
            vae=self._model.codec.vae,  # pyright: ignore[reportArgumentType]
            text_encoder=self._model.text.encoder,
            tokenizer=self._model.text.tokenizer,
            unet=self._model.denoiser.unet,
            controlnet=MultiControlNetModel(nets),  # pyright: ignore[reportArgumentType]
            scheduler=ddim_scheduler(self._model.scheduler_config),  # pyright: ignore[reportArgumentType]
            safety_checker=None,  # pyright: ignore[reportArgumentType]
            feature_extractor=None,  # pyright: ignore[reportArgumentType]
            requires_safety_checker=False,
        )
        self._pipeline.set_progress_bar_config(disable=True)

    def steps(self, options: RestyleOptions) -> int:
        """Sampling steps for as many evaluations as vedit takes, or one fewer; a guided step is two."""
        guided = prepare(self._model, options).guidance != 1
        return max(1, evaluations(self._ref, options) // (2 if guided else 1))

    def render(
        self,
        variant: PeerVariant,
        source: Path,
        target: Path,
        *,
        look: str,
        quality: QualityName,
        short_side: int | None,
    ) -> Path:
        """Write the result of every frame by itself, as FFV1 in RGB."""
        options = by_recipe(
            RestyleOptions(prompt=look, quality=quality, short_side=short_side, allow_unknown=True), self._ref
        )
        restyler, steps = prepare(self._model, options), self.steps(options)
        done: list[IntFrames] = []
        with vedit.open_video(source) as video, restyler.sampling():
            metadata, index = video.metadata, video.index()
            traits = self._model.traits
            place = working_fit(
                (metadata.height, metadata.width),
                short_side=traits.quality(options).short_side,
                multiple_of=traits.size_multiple,
                minimum=traits.minimum_side,
            )
            for number in range(len(index)):
                clip = video.read(FrameRange(start=number, stop=number + 1))
                small = fit(clip, place)
                seed = number if variant.fresh else 0
                drawn = unfit(self._drawn(small, restyler.options, steps, restyler.guidance, seed), place)
                shown = upsample_change(
                    clip.frames, unfit(small, place), drawn, method="lanczos", bit_depth=clip.bit_depth
                )
                done.append(to_integer(shown, 8)[0])
            rate = index.rate or metadata.average_rate or Fraction(25)
        return write_rgb(done, target, rate)

    def _drawn(
        self, frame: torch.Tensor, options: RestyleOptions, steps: int, guidance: float, seed: int
    ) -> torch.Tensor:
        call: Any = self._pipeline
        made = call(
            prompt=options.prompt,
            image=frame,
            control_image=[one.frames for one in control_maps(options.controls, frame)],
            height=frame.shape[-2],
            width=frame.shape[-1],
            strength=1.0,
            num_inference_steps=steps,
            guidance_scale=guidance,
            controlnet_conditioning_scale=[spec.scale for spec in options.controls],
            generator=torch.Generator().manual_seed(seed),
            output_type="pt",
        )
        return torch.as_tensor(made.images).float().clamp(0, 1)


def write_rgb(frames: list[IntFrames], target: Path, rate: Fraction) -> Path:
    """Frames (3, H, W) of 8 bits as FFV1 in RGB; the file appears whole."""
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    with av.open(part, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = frames[0].shape[1:]
        stream.pix_fmt = "bgr0"  # FFV1's only RGB of 8 bits
        for frame in frames:
            picture = np.ascontiguousarray(frame.transpose(1, 2, 0), np.uint8)
            shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(shown.reformat(format="bgr0")))
        container.mux(stream.encode(None))
    part.replace(target)
    return target
