"""diffusers' ControlNet image-to-image pipelines, frame by frame: the peer of `bench.py speed` and of `gpu.py`.

    python examples/bench_models/peer.py MODEL CONTROLNET CLIP OUT.mkv --lora FILE --size 512 --steps 4
    python examples/bench_models/peer.py MODEL CONTROLNET CLIP OUT.mkv --ddim --steps 50 --batch 8 --device cuda

It has the weights, the prompt, the size and the evaluations of the other side, and no cross-frame attention. A LoRA is
summed into the UNet once, which costs it nothing while it draws. A model with two text encoders is taken for XL. Prints
a line of JSON: seconds to load, seconds of all frames from the decoded source to the written file, and the peak of the
device's memory in bytes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline
from diffusers.pipelines.controlnet.pipeline_controlnet_sd_xl_img2img import StableDiffusionXLControlNetImg2ImgPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.utils.logging import disable_progress_bar
from PIL.Image import Image
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

Pipeline = StableDiffusionControlNetImg2ImgPipeline | StableDiffusionXLControlNetImg2ImgPipeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "controlnet", "clip", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--prompt", default="ink drawing")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--ddim", action="store_true", help="DDIM steps; otherwise those of an LCM")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    options = parser.parse_args()
    disable_progress_bar()
    began = time.perf_counter()
    pipeline = loaded(options)
    loading = time.perf_counter() - began
    began = time.perf_counter()
    frames = restyled(pipeline, options)
    told = {"load": loading, "frames": frames, "seconds": time.perf_counter() - began}
    if options.device == "cuda":
        told["device_bytes"] = torch.cuda.max_memory_allocated()
    print(json.dumps(told))


def loaded(options: argparse.Namespace) -> Pipeline:
    """The pipeline on its device, of the parts of a folder; no network is asked."""
    model: Path = options.model
    dtype: torch.dtype = getattr(torch, options.dtype)
    unet = UNet2DConditionModel.from_pretrained(model / "unet", torch_dtype=dtype)
    if options.lora is not None:
        add_lora(unet, load_file(options.lora))
    scheduler = DDIMScheduler if options.ddim else LCMScheduler
    parts: dict[str, Any] = {
        "vae": AutoencoderKL.from_pretrained(model / "vae", torch_dtype=dtype),
        "text_encoder": CLIPTextModel.from_pretrained(model / "text_encoder", dtype=dtype),
        "tokenizer": CLIPTokenizer.from_pretrained(model / "tokenizer"),
        "unet": unet,
        "controlnet": ControlNetModel.from_pretrained(options.controlnet, torch_dtype=dtype),
        "scheduler": scheduler.from_config(json.loads((model / "scheduler" / "scheduler_config.json").read_text())),
        "feature_extractor": None,
    }
    second = model / "text_encoder_2"
    if second.is_dir():
        parts["text_encoder_2"] = CLIPTextModelWithProjection.from_pretrained(second, dtype=dtype)
        parts["tokenizer_2"] = CLIPTokenizer.from_pretrained(model / "tokenizer_2")
        pipeline = StableDiffusionXLControlNetImg2ImgPipeline(**parts, add_watermarker=False)
    else:
        pipeline = StableDiffusionControlNetImg2ImgPipeline(**parts, safety_checker=None, requires_safety_checker=False)  # pyright: ignore[reportArgumentType]
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(options.device)
    return pipeline


def add_lora(unet: UNet2DConditionModel, lora: dict[str, torch.Tensor]) -> None:
    """W + alpha / rank * B A for every module that the file names."""
    modules = {f"lora_unet_{name.replace('.', '_')}": module for name, module in unet.named_modules()}
    for key in (key.removesuffix(".alpha") for key in lora if key.endswith(".alpha")):
        down, up = lora[f"{key}.lora_down.weight"].float(), lora[f"{key}.lora_up.weight"].float()
        weight = modules[key].get_parameter("weight")
        change = (up.flatten(1) @ down.flatten(1)).view(weight.shape) * float(lora[f"{key}.alpha"]) / len(down)
        weight.data += change.to(weight.dtype)


@torch.inference_mode()
def restyled(pipeline: Pipeline, options: argparse.Namespace) -> int:
    """Every frame from the same noise, so many at a time, into a lossless file; how many there were."""
    count, size = 0, options.size
    with av.open(str(options.clip)) as source, av.open(str(options.out), "w") as target:
        stream = target.add_stream("ffv1", rate=source.streams.video[0].average_rate)
        stream.width = stream.height = size
        images = (frame.to_image().resize((size, size)) for frame in source.decode(video=0))
        for together in _batches(images, options.batch):
            noise = torch.Generator("cpu").manual_seed(0)
            made: Any = pipeline(
                prompt=[options.prompt] * len(together),
                image=together,
                control_image=together,
                strength=1.0,
                num_inference_steps=options.steps,
                guidance_scale=1.0,
                generator=noise,
            )
            for image in made.images:
                target.mux(stream.encode(av.VideoFrame.from_image(image)))
                count += 1
        target.mux(stream.encode(None))
    return count


def _batches(images: Iterator[Image], size: int) -> Iterator[list[Image]]:
    while together := list(islice(images, size)):
        yield together


if __name__ == "__main__":
    main()
