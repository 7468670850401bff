"""An IP-Adapter of a Stable Diffusion: a look's reference pictures -> tokens that the UNet reads beside the prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from vedit.checks.finite import check_weights, finite, precision_of
from vedit.diffusion.adapters.image_prompts import PICTURES, PictureLayer, image_prompts
from vedit.media.reading.still import Still, read_still
from vedit.models.attention_kernels import AUTO, attending_by
from vedit.models.configs import read_config
from vedit.models.digests import file_digest
from vedit.models.families.modules import weights_digest
from vedit.models.families.sd_ip_projection import projection
from vedit.models.families.sd_keys import Origin
from vedit.models.families.sd_networks import Adaptation
from vedit.models.families.sd_weights import built, fill, plain_origins
from vedit.models.ip_adapters import ENCODER_KEYS, LAYERS, PROJECTION, IpAdapterLayout, layout_of
from vedit.models.motion import MODULES
from vedit.models.weight_files import Stored, stored_in

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.models.families.sd_networks import Networks
    from vedit.options.references import ReferenceSpec
    from vedit.options.request import RestyleOptions

Seen = tuple[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]
"""What a prompt and its negative have beside their text (`vedit.types.PromptEmbeds.others`)."""
_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the colours that CLIP was trained on (Radford et al. 2021, in the authors' code)."""


@dataclass(frozen=True, kw_only=True)
class IpAdapter:
    """A loaded IP-Adapter; its image encoder is read where pictures are looked at, and let go of again."""

    layout: IpAdapterLayout
    encoder: Path
    """The folder of the image encoder."""
    projection: torch.nn.Module
    layers: Mapping[str, PictureLayer]
    """By the names of the UNet's attention processors."""
    device: torch.device
    dtype: torch.dtype
    attention: str = AUTO
    """The kernel that computes attention (`vedit.models.attention_kernels`)."""
    _known: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor], repr=False)
    """The tokens of pictures by their content, and of none."""

    @torch.inference_mode()
    def read(self, options: RestyleOptions) -> Seen:
        """The tokens of a look's pictures one after the other, (1, M, D), for its prompt; and those of as many pictures
        of nothing for the negative, as the adapter was trained to see them where it is not guided.

        Raises:
            ModelError: the image encoder is damaged.
            MediaError: a picture cannot be read.
        """
        named = {file_digest(spec.path): spec.path for spec in counted(options)}
        with attending_by(self.attention):
            self._read({name: path for name, path in named.items() if name not in self._known})
        tokens = [self._known[file_digest(spec.path)] for spec in counted(options)]
        if not tokens:
            return {}, {}
        return {PICTURES: torch.cat(tokens, 1)}, {PICTURES: torch.cat([self._known[""]] * len(tokens), 1)}

    def facts(self, options: RestyleOptions) -> dict[str, str]:
        """What decides the frames: the weights, and each picture with how much it counts."""
        files = [file_digest(file) for file in stored_in(self.encoder).files]
        own = [weights_digest(self.projection), *(weights_digest(layer) for layer in self.layers.values())]
        pictures = [[file_digest(spec.path), spec.weight] for spec in counted(options)]
        return {"ip_adapter": json.dumps([own, files]), "references": json.dumps(pictures)}

    def _read(self, wanted: Mapping[str, Path]) -> None:
        if not wanted:
            return
        encoder = _encoder(self.encoder, self.device, self.dtype)
        size = int(cast("Any", encoder.config).image_size)
        nothing = torch.zeros(1, 3, size, size)
        for name, picture in {"": nothing, **{n: seen_by_clip(read_still(p), size) for n, p in wanted.items()}}.items():
            read = self._looked_at(encoder, picture, nothing=not name)
            tokens = self.projection(read.to(self.dtype))
            self._known[name] = finite(tokens, "tokens of a picture", precision=precision_of(self.dtype))

    def _looked_at(
        self, encoder: CLIPVisionModelWithProjection, picture: torch.Tensor, *, nothing: bool
    ) -> torch.Tensor:
        if self.layout.reads == "embedding" and nothing:
            return torch.zeros(1, self.layout.encoder_width, device=self.device)
        seen = encoder(picture.to(self.device, self.dtype), output_hidden_states=self.layout.reads == "patches")
        if self.layout.reads == "embedding":
            return cast("torch.Tensor", seen.image_embeds)
        return cast("tuple[torch.Tensor, ...]", seen.hidden_states)[-2]


class PicturePrompts(Adaptation):
    """The reference pictures of a look in the UNet while it is sampled; of a model without an IP-Adapter none."""

    def sampling(self, model: Networks, options: RestyleOptions) -> AbstractContextManager[None]:
        """See `vedit.diffusion.adapters.image_prompts`."""
        weights = [spec.weight for spec in counted(options)]
        if model.pictures is None or not weights:
            return nullcontext()
        return image_prompts(model.denoiser.unet, model.denoiser.pictures, model.pictures.layers, weights)

    def facts(self, model: Networks, options: RestyleOptions) -> Mapping[str, str]:
        """See `IpAdapter.facts`."""
        return {} if model.pictures is None or not counted(options) else model.pictures.facts(options)


def counted(options: RestyleOptions) -> Sequence[ReferenceSpec]:
    """The references of a look that count for something."""
    return [spec for spec in options.references if spec.weight > 0]


def load_ip_adapter(
    path: Path, encoder: Path, unet: UNet2DConditionModel, *, device: torch.device, dtype: torch.dtype
) -> IpAdapter:
    """An IP-Adapter on its device.

    Args:
        path: a file that `vedit.models.ip_adapters.check_ip_adapter` has let through.
        encoder: the folder of its image encoder.
        unet: that it is for.
        device: where it goes.
        dtype: what it computes in.

    Raises:
        ModelError: a tensor is missing, left over, or of another shape than the UNet's layer has.
    """
    layout, stored = layout_of(path), Stored(place=str(path), files=(path,))
    shapes = {key.removeprefix(PROJECTION): s for key, s in layout.shapes.items() if key.startswith(PROJECTION)}
    maker = built(lambda: projection(shapes))
    made = {name: Origin(key=f"{PROJECTION}{name}") for name in maker.state_dict()}
    target: dict[str, Any] = {"device": device, "dtype": dtype}
    fill(maker, stored, made, part="IP-Adapter", own=lambda key: key.startswith(PROJECTION), **target)
    names = [name for name in unet.attn_processors if ".attn2." in name and MODULES not in name]
    attentions = [cast("Attention", unet.get_submodule(name.removesuffix(".processor"))) for name in names]
    keys = [cast("torch.nn.Linear", attention.to_k) for attention in attentions]
    layers = [PictureLayer((key.out_features, layout.text_width)) for key in keys]
    # The authors number all layers, and those of self-attention, which come before each, have nothing.
    origins = {
        f"{place}.{part}": Origin(key=f"{LAYERS}{2 * place + 1}.{part}")
        for place, layer in enumerate(layers)
        for part in layer.state_dict()
    }
    together = torch.nn.ModuleList(layers)
    fill(together, stored, origins, part="IP-Adapter", own=lambda key: key.startswith(LAYERS), **target)
    for module in (maker, together):
        module.requires_grad_(requires_grad=False).eval()
        check_weights("IP-Adapter", module)
    return IpAdapter(
        layout=layout,
        encoder=encoder,
        projection=maker,
        layers=dict(zip(names, layers, strict=True)),
        device=device,
        dtype=dtype,
    )


def seen_by_clip(still: Still, size: int) -> torch.Tensor:
    """A picture as CLIP's image encoder takes it: the square in its middle, (1, 3, size, size), about 0."""
    picture = torch.from_numpy(still.picture).permute(2, 0, 1)[None]
    height, width = picture.shape[-2:]
    short = min(height, width)
    scaled = (int(size * height / short), int(size * width / short))
    small = F.interpolate(picture, scaled, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    top, left = (scaled[0] - size) // 2, (scaled[1] - size) // 2
    square = small[..., top : top + size, left : left + size]
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
    return (square - mean) / deviation


def _encoder(folder: Path, device: torch.device, dtype: torch.dtype) -> CLIPVisionModelWithProjection:
    config = read_config(folder / "config.json", "image_encoder")
    said = {key: value for key, value in config.items() if key != "_class_name"}
    network = built(
        lambda: CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict({**said, "attn_implementation": "sdpa"}))
    )
    stored = stored_in(folder)
    fill(
        network,
        stored,
        plain_origins(network, stored),
        part="image encoder",
        own=lambda key: key.startswith(ENCODER_KEYS),
        device=device,
        dtype=dtype,
    )
    check_weights("image encoder", network)
    return network.requires_grad_(requires_grad=False).eval()
