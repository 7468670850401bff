"""What an IP-Adapter needs, from the headers of its file, of its image encoder and of the model that it is for.

Files are those of the authors' layout (Ye et al. 2023): `image_proj.*` makes tokens of a picture, and
`ip_adapter.N.to_k_ip.weight` and `to_v_ip` let the Nth attention layer of the UNet read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from vedit.errors import ModelError
from vedit.models.configs import read_json
from vedit.models.families.sd_keys import UNET
from vedit.models.headers import SUFFIX, read_header
from vedit.models.identify import identify, refuse_pickle
from vedit.models.sizes import bytes_a_number
from vedit.models.source import ModelSource
from vedit.models.weight_files import stored_in

ENCODER = "image_encoder"
"""The folder of the picture encoder, beside the file or further up."""
ENCODER_KEYS = ("vision_model.", "visual_projection.")
"""What begins the names of its tensors, of a whole CLIP that some folders hold."""
PROJECTION, LAYERS = "image_proj.", "ip_adapter."
Reading = Literal["embedding", "patches"]
"""What of the encoder's output is read: the picture as a whole, or its patches."""


@dataclass(frozen=True, kw_only=True)
class IpAdapterLayout:
    """What an IP-Adapter is, by its tensors."""

    reads: Reading
    encoder_width: int
    """Of what it reads: the encoder's projection, or its hidden states."""
    text_width: int
    """Of its tokens, as cross-attention takes them."""
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def layers(self) -> list[tuple[int, ...]]:
        """The shapes of its keys' matrices (out, in), sorted."""
        return sorted(shape for key, shape in self.shapes.items() if key.endswith(".to_k_ip.weight"))


def layout_of(path: Path) -> IpAdapterLayout:
    """What an IP-Adapter is. Raises ModelError where it is none, FaceID, damaged, or no safetensors file."""
    refuse_pickle(path)
    kind, shapes = identify(path), read_header(path).shapes
    if not any(key.startswith((PROJECTION, LAYERS)) for key in shapes):
        raise ModelError(f"{path} is {kind.name}, no IP-Adapter", remedy="give an IP-Adapter to --ip-adapter")
    if not kind.runs:
        raise ModelError(f"{path} is {kind.name}, which vedit cannot run", remedy=kind.lacks)
    projection = {key.removeprefix(PROJECTION): shape for key, shape in shapes.items() if key.startswith(PROJECTION)}
    keys = [shape for key, shape in shapes.items() if key.endswith(".to_k_ip.weight") and len(shape) == 2]
    if keys and len(projection.get("proj.weight", ())) == 2:
        reads, width = "embedding", projection["proj.weight"][1]
    elif keys and len(projection.get("proj_in.weight", ())) == 2:
        reads, width = "patches", projection["proj_in.weight"][1]
    elif keys and len(projection.get("proj.0.weight", ())) == 2 and "proj.3.weight" in projection:
        reads, width = "patches", projection["proj.0.weight"][1]
    else:
        raise ModelError(
            f"{path} is an IP-Adapter of a layout that vedit does not know",
            remedy="use the base, plus, plus-face or full-face one of the authors, as .safetensors",
        )
    return IpAdapterLayout(reads=reads, encoder_width=width, text_width=keys[0][1], shapes=shapes)


def check_ip_adapter(path: Path, encoder: Path | None, base: Path | None) -> Path:
    """The image encoder that an IP-Adapter reads pictures with; headers and configs are read, no weights.

    Args:
        path: of the adapter.
        encoder: the folder that was named; None: one near the adapter is looked for.
        base: the model; None where it is not on this machine.

    Raises:
        ModelError: it is no IP-Adapter that vedit runs, not for this model, or there is no encoder that fits.
    """
    layout = layout_of(path)
    wanted = None if base is None else _cross_attention(base)
    if wanted is not None and wanted != layout.layers:
        raise ModelError(
            f"{path} is {identify(path).name}, made for another network than {base}",
            remedy="give an IP-Adapter for the model",
        )
    if encoder is not None:
        _check_encoder(encoder, layout, path)
        return encoder
    near = [place for place in _near(path) if (place / "config.json").is_file()]
    fitting = next((place for place in near if _width(place, layout) == layout.encoder_width), None)
    if fitting is not None:
        return fitting
    if near:
        _check_encoder(near[0], layout, path)
    raise ModelError(
        f"{path} needs an image encoder, and there is no folder {ENCODER}/ beside it",
        remedy=f"put the {ENCODER}/ that it was published with there, or name it with --image-encoder",
    )


@dataclass(frozen=True, kw_only=True)
class Held:
    """What weights hold."""

    numbers: int = 0
    stored: int = 0
    """Bytes in their files."""


def held_by(source: ModelSource) -> tuple[Mapping[str, Held], Held]:
    """What the IP-Adapter of a model on this machine holds, by its part, and its image encoder; nothing where there is
    none. Raises ModelError as `check_ip_adapter`.
    """
    found = source.on_disk
    if found.ip_adapter is None:
        return {}, Held()
    path, named = Path(found.ip_adapter), found.image_encoder
    encoder = check_ip_adapter(path, None if named is None else Path(named), Path(found.base))
    shapes = stored_in(encoder).shapes
    adapter = sum(map(prod, layout_of(path).shapes.values()))
    read = sum(prod(shape) for key, shape in shapes.items() if key.startswith(ENCODER_KEYS))
    return (
        {"ip_adapter": Held(numbers=adapter, stored=round(adapter * bytes_a_number(path)))},
        Held(numbers=read, stored=round(read * bytes_a_number(encoder))),
    )


def _near(path: Path) -> tuple[Path, ...]:
    """Where publishers put the encoder: beside the file, above it, or among the models of another family."""
    above = path.parent.parent
    return (path.parent / ENCODER, above / ENCODER, above / "models" / ENCODER, above / "sdxl_models" / ENCODER)


def _check_encoder(folder: Path, layout: IpAdapterLayout, path: Path) -> None:
    width = _width(folder, layout)
    if width != layout.encoder_width:
        raise ModelError(
            f"{path} reads {layout.encoder_width} numbers of a picture, and the image encoder {folder} gives {width}",
            remedy="name the encoder that it was made for with --image-encoder: CLIP ViT-H, or bigG for some of SDXL",
        )
    stored_in(folder)


def _width(folder: Path, layout: IpAdapterLayout) -> int:
    """Of what an encoder gives. Raises ModelError for a damaged config, or one of something else."""
    file = folder / "config.json"
    config = read_json(file)
    vision = config.get("vision_config", config)
    key, usual = ("projection_dim", 512) if layout.reads == "embedding" else ("hidden_size", 768)
    width = vision.get(key, config.get(key, usual)) if isinstance(vision, dict) else None
    if "clip" not in str(config.get("model_type", "")) or not isinstance(width, int):
        raise ModelError(
            f"{file} is not of a CLIP image encoder", remedy="give the folder of a CLIPVisionModelWithProjection"
        )
    return width


def _cross_attention(base: Path) -> list[tuple[int, ...]]:
    """The shapes of the matrices that make keys of the text, of all layers of a model's UNet, sorted."""
    shapes = read_header(base).shapes if base.suffix == SUFFIX else stored_in(base / "unet").shapes
    prefix = UNET if base.suffix == SUFFIX else ""
    own = {key: s for key, s in shapes.items() if key.startswith(prefix) and ".motion_modules." not in key}
    return sorted(s for key, s in own.items() if key.endswith(".attn2.to_k.weight"))
