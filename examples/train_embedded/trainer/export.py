"""The checkpoint as users get it: a diffusers folder, fp16 safetensors, and two files of vedit's beside it.

`looks.json` lists looks, wordings and known words; `controls.json` says which preprocessor feeds which ControlNet.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from trainer import form
from trainer.looks import LOOKS, PALETTES, STRENGTHS
from trainer.prompts import known_words
from vedit.models.source import TIER_FOLDERS

LIMIT_BYTES = 32_000_000
CONTROLS = {"tile": "controlnet", "softedge": "controlnet_1"}
"""Which preprocessor each ControlNet folder was trained on."""


class Networks(nn.Module):
    """Everything trained in stage b, and the frozen autoencoder beside it."""

    def __init__(
        self,
        *,
        tokenizer: CLIPTokenizer,
        text_encoder: CLIPTextModel,
        unet: UNet2DConditionModel,
        tile: ControlNetModel,
        soft_edge: ControlNetModel,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.text_encoder = text_encoder
        self.unet = unet
        self.tile = tile
        self.soft_edge = soft_edge

    @classmethod
    def new(
        cls, *, widths: tuple[int, int, int] = form.WIDTHS, norm_groups: int = 8, latents: int = form.LATENT_CHANNELS
    ) -> "Networks":
        """With fresh weights, drawn from torch's global generator."""
        tokenizer = form.new_tokenizer()
        return cls(
            tokenizer=tokenizer,
            text_encoder=form.new_text_encoder(tokenizer),
            unet=form.new_unet(widths=widths, norm_groups=norm_groups, latents=latents),
            tile=form.new_controlnet(widths=widths, norm_groups=norm_groups, latents=latents),
            soft_edge=form.new_controlnet(widths=widths, norm_groups=norm_groups, latents=latents),
        )

    def averaged(self, ema: dict[str, Tensor]) -> "Networks":
        """A copy of this form with the averaged weights."""
        widths = self.unet.config["block_out_channels"]
        copy = Networks.new(widths=tuple(widths), norm_groups=self.unet.config["norm_num_groups"])
        copy.load_state_dict(ema)
        return copy


def looks_document() -> dict[str, object]:
    """What `looks.json` says: looks and modifiers with their wordings, and every word of the training."""
    looks = [
        {"name": look.name, "kind": look.kind, "wordings": [w for w in (*look.wordings, *look.tails) if w]}
        for look in LOOKS
    ]
    looks += [
        {"name": m.name, "kind": m.kind, "wordings": list(dict.fromkeys((*m.adjectives, *m.phrases, *m.tails)))}
        for m in (*STRENGTHS, *PALETTES)
    ]
    return {"looks": looks, "words": list(known_words())}


def with_recipes(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The document with the recipes of looks (`vedit.models.recipes`) that a folder's own has: they are searched for
    once the weights are there, and a look keeps its recipe until a search finds another."""
    path = folder / "looks.json"
    before: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {"looks": []}
    recipes = {look["name"]: {"recipe": look["recipe"]} for look in before["looks"] if "recipe" in look}
    return {**document, "looks": [{**look, **recipes.get(look["name"], {})} for look in document["looks"]]}


def as_pipeline(vae: AutoencoderTiny, networks: Networks) -> StableDiffusionControlNetImg2ImgPipeline:
    """The parts as diffusers' own pipeline; controls in the order tile, soft edge."""
    return StableDiffusionControlNetImg2ImgPipeline(
        vae=vae,  # type: ignore[arg-type]
        text_encoder=networks.text_encoder,
        tokenizer=networks.tokenizer,
        unet=networks.unet,
        controlnet=MultiControlNetModel([networks.tile, networks.soft_edge]),
        scheduler=form.new_scheduler(),  # type: ignore[arg-type]
        safety_checker=None,  # type: ignore[arg-type]
        feature_extractor=None,  # type: ignore[arg-type]
        requires_safety_checker=False,
    )


def export(vae: AutoencoderTiny, networks: Networks, folder: Path) -> int:
    """Write the checkpoint; returns its size in bytes.

    Weights are written beside the destination and moved in file by file, so a reader never sees half a file. A fast
    tier that is there was distilled for the weights before and is removed first. The networks given are turned to fp16
    on the CPU: hand in copies.

    Raises:
        ValueError: it would be larger than `LIMIT_BYTES`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    nn.ModuleList([vae, networks]).to("cpu", torch.float16)
    pipeline = as_pipeline(vae, networks)
    with TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        new = Path(temporary)
        pipeline.save_pretrained(new, safe_serialization=True)
        # transformers loads in the dtype the config names, diffusers in float32: one pipeline needs one dtype.
        _edit_json(new / "text_encoder" / "config.json", {"dtype": "float32"})
        # Written by AutoencoderTiny, which then warns about it when loading; it sets it again by itself.
        _edit_json(new / "vae" / "config.json", {"block_out_channels": None})
        looks = with_recipes(looks_document(), folder)
        (new / "looks.json").write_text(json.dumps(looks, indent=1) + "\n", encoding="utf-8")
        (new / "controls.json").write_text(json.dumps(CONTROLS) + "\n", encoding="utf-8")
        files = sorted(path for path in new.rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files)
        if size > LIMIT_BYTES:
            raise ValueError(f"the checkpoint has {size} bytes, {LIMIT_BYTES} are allowed: use narrower networks")
        for tier in TIER_FOLDERS:
            if (folder / tier).is_dir():
                (folder / tier).replace(new / tier)
        # The index last: it names the parts.
        for path in sorted(files, key=lambda p: p.name == "model_index.json"):
            target = folder / path.relative_to(new)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.chmod(0o644)
            path.replace(target)
    return size


def _edit_json(path: Path, changes: dict[str, object]) -> None:
    """Set keys of a JSON file; None removes one."""
    document = json.loads(path.read_text(encoding="utf-8")) | changes
    document = {key: value for key, value in document.items() if not (key in changes and value is None)}
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
