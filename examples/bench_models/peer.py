"""diffusers' ControlNet image-to-image pipeline for LCM weights, frame by frame: the peer of `bench.py speed`.

    python examples/bench_models/peer.py MODEL CONTROLNET LORA CLIP OUT.mkv --size 512 --steps 4

It has the weights, the prompt, the size and the evaluations of the other side, and no cross-frame attention. The LoRA
is summed into the UNet once, which costs it nothing while it draws. Prints a line of JSON: seconds to load, seconds of
all frames from the decoded source to the written file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import av
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.utils.logging import disable_progress_bar
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "controlnet", "lora", "clip", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--prompt", default="ink drawing")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    options = parser.parse_args()
    disable_progress_bar()
    began = time.perf_counter()
    pipeline = loaded(options.model, options.controlnet, options.lora, getattr(torch, options.dtype))
    pipeline.to(options.device)
    loading = time.perf_counter() - began
    began = time.perf_counter()
    frames = restyled(pipeline, options.clip, options.out, options)
    print(json.dumps({"load": loading, "frames": frames, "seconds": time.perf_counter() - began}))


def loaded(model: Path, controlnet: Path, lora: Path, dtype: torch.dtype) -> StableDiffusionControlNetImg2ImgPipeline:
    """The pipeline, of the parts of a folder; no network is asked."""
    unet = UNet2DConditionModel.from_pretrained(model / "unet", torch_dtype=dtype)
    add_lora(unet, load_file(lora))
    pipeline = StableDiffusionControlNetImg2ImgPipeline(
        vae=AutoencoderKL.from_pretrained(model / "vae", torch_dtype=dtype),
        text_encoder=CLIPTextModel.from_pretrained(model / "text_encoder", dtype=dtype),
        tokenizer=CLIPTokenizer.from_pretrained(model / "tokenizer"),
        unet=unet,
        controlnet=ControlNetModel.from_pretrained(controlnet, torch_dtype=dtype),
        scheduler=LCMScheduler.from_config(  # pyright: ignore[reportArgumentType]
            json.loads((model / "scheduler" / "scheduler_config.json").read_text())
        ),
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
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
def restyled(
    pipeline: StableDiffusionControlNetImg2ImgPipeline, clip: Path, out: Path, options: argparse.Namespace
) -> int:
    """Every frame by itself, from the same noise, into a lossless file; how many there were."""
    count = 0
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream("ffv1", rate=source.streams.video[0].average_rate)
        stream.width = stream.height = options.size
        for frame in source.decode(video=0):
            image = frame.to_image().resize((options.size, options.size))
            made = pipeline(
                prompt=options.prompt,
                image=image,
                control_image=image,
                strength=1.0,
                num_inference_steps=options.steps,
                guidance_scale=1.0,
                generator=torch.Generator("cpu").manual_seed(0),
            ).images[0]  # pyright: ignore[reportAttributeAccessIssue, reportIndexIssue]
            target.mux(stream.encode(av.VideoFrame.from_image(made)))
            count += 1
        target.mux(stream.encode(None))
    return count


if __name__ == "__main__":
    main()
