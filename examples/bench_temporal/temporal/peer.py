"""diffusers' ControlNet image-to-image, frame by frame, on the very modules that vedit uses.

It has the same weights (the fast tier's too, where vedit samples with them), control maps, prompt, guidance and working
size, and as many network evaluations a frame; it inverts nothing, so all of them are sampling steps. Its frames
are enlarged as `upscale='lanczos'` does and written without loss. With fixed noise every frame is drawn from one seed,
with fresh noise each from its own. Steadied, they are finished as vedit's own are, so that what is left between the two
is how they were drawn.
"""

from __future__ import annotations

import io
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
from vedit.finishing.deflicker import steady
from vedit.finishing.upsample import upsample_change
from vedit.geometry import fit, unfit, working_fit
from vedit.media.writing.atomic import write_whole
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
    steadied: bool = False
    """vedit's steadying over it, and vedit's way back to the source's size."""


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
        tells="diffusers' ControlNet image-to-image, frame by frame, each from noise of its own",
        fresh=True,
    ),
)
STEADIED = PeerVariant(
    name="diffusers-steadied",
    label="diffusers, steadied",
    tells="diffusers' frames from fresh noise under vedit's steadying, enlarged as vedit's are",
    fresh=True,
    steadied=True,
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
        kept: Path | None = None,
    ) -> Path:
        """Write the result of every frame by itself, as FFV1 in RGB.

        Args:
            variant: how.
            source: a short clip.
            target: the file.
            look: the prompt.
            quality: as of vedit.
            short_side: that it works at; None is the quality's.
            kept: a file for what was drawn, before it is finished: read where it is there, else written.
        """
        options = by_recipe(
            RestyleOptions(prompt=look, quality=quality, short_side=short_side, allow_unknown=True), self._ref
        )
        with vedit.open_video(source) as video:
            metadata, index = video.metadata, video.index()
            clip = video.read(FrameRange(start=0, stop=len(index)))
        traits = self._model.traits
        place = working_fit(
            (metadata.height, metadata.width),
            short_side=traits.quality(options).short_side,
            multiple_of=traits.size_multiple,
            minimum=traits.minimum_side,
        )
        small = fit(clip, place)
        if kept is not None and kept.is_file():
            drawn = torch.from_numpy(np.load(kept))
        else:
            drawn = self._all_drawn(variant, small, options)
            if kept is not None:
                data = io.BytesIO()
                np.save(data, drawn.numpy())
                write_whole(kept, data.getvalue())
        method, seen, result = "lanczos", unfit(small, place), unfit(drawn, place)
        if variant.steadied:
            method, seen = options.upscale, unfit(self._through_autoencoder(small), place)
            result = steady(unfit(small, place), result)
        shown = upsample_change(clip.frames, seen, result, method=method, bit_depth=clip.bit_depth)
        rate = index.rate or metadata.average_rate or Fraction(25)
        return write_rgb(list(to_integer(shown, 8)), target, rate)

    def _all_drawn(self, variant: PeerVariant, small: torch.Tensor, options: RestyleOptions) -> torch.Tensor:
        """Every frame (T, 3, h, w), each drawn by itself."""
        restyler, steps = prepare(self._model, options), self.steps(options)
        with restyler.sampling():
            return torch.cat(
                [
                    self._drawn(frame, restyler.options, steps, restyler.guidance, number if variant.fresh else 0)
                    for number, frame in enumerate(small.split(1))
                ]
            )

    def _through_autoencoder(self, small: torch.Tensor) -> torch.Tensor:
        """The source as the model sees it: its detail that the autoencoder loses is put back with the rest."""
        codec = self._model.codec
        return torch.cat([codec.decode(codec.encode(frame)) for frame in small.split(1)])

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
