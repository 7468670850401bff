"""Pictures as prompts, as an adapter: injected into a UNet, and taken out without a trace.

Every cross-attention layer attends to the tokens of pictures too, with keys and values of its own and the text's
queries, and adds what it finds (decoupled cross-attention, IP-Adapter, Ye et al. 2023). It is added behind the layer's
output projection, which is linear, so what was in the layer before, regional prompts for instance, stays as it is.

Several pictures are seen in one softmax, each by its weight: the heaviest as it is, another that weighs half of it as
if it had half as many tokens. What all of them find is scaled by the heaviest weight.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.nn import functional as F

from vedit.weights.at_rest import weight_of

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

PICTURES = "pictures"
"""What the tokens of pictures are called among the others of a prompt (`vedit.types.PromptEmbeds`)."""


class ShownPictures:
    """The tokens that the next network call sees."""

    def __init__(self) -> None:
        self.tokens: torch.Tensor | None = None
        """(1 or T, M, D), of all pictures one after the other; None: the layers are as they were."""


class PictureLayer(torch.nn.Module):
    """The keys and values of one layer, of tokens (T, M, D); parameters are named as in the authors' files."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        out, width = shape
        self.to_k_ip = torch.nn.Linear(width, out, bias=False)
        self.to_v_ip = torch.nn.Linear(width, out, bias=False)


class PictureProcessor:
    """diffusers attention processor of one cross-attention layer; `before` answers for the text."""

    def __init__(
        self,
        shown: ShownPictures,
        layer: PictureLayer,
        before: Callable[..., torch.Tensor],
        weights: Sequence[float],
    ) -> None:
        self.shown, self.layer, self.before = shown, layer, before
        self.scale = max(weights)
        self.shares = torch.tensor([weight / self.scale for weight in weights])

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **rest: Any,
    ) -> torch.Tensor:
        """hidden_states (T, L, D) -> (T, L, D)."""
        found = self.before(
            attn, hidden_states, encoder_hidden_states=encoder_hidden_states, attention_mask=attention_mask, **rest
        )
        tokens = self.shown.tokens
        if tokens is None:
            return found
        heads, count = attn.heads, len(hidden_states)
        query = attn.to_q(hidden_states)
        key, value = (part(tokens.to(query)).expand(count, -1, -1) for part in (self.layer.to_k_ip, self.layer.to_v_ip))
        parts = [states.unflatten(2, (heads, -1)).transpose(1, 2) for states in (query, key, value)]
        seen = F.scaled_dot_product_attention(*parts, attn_mask=self._bias(query, tokens.shape[1]))
        out = cast("torch.nn.Linear", cast("torch.nn.ModuleList", attn.to_out)[0])
        added = F.linear(seen.transpose(1, 2).flatten(2), weight_of(out))
        return found + self.scale / attn.rescale_output_factor * added

    def _bias(self, like: torch.Tensor, tokens: int) -> torch.Tensor | None:
        """Added to the logits of tokens, so that each picture has its share; None where all have the same."""
        if bool((self.shares == 1).all()):
            return None
        each = self.shares.repeat_interleave(tokens // len(self.shares))
        return each.log().to(like)[None, None, None]


@contextmanager
def image_prompts(
    unet: UNet2DConditionModel,
    shown: ShownPictures,
    layers: Mapping[str, PictureLayer],
    weights: Sequence[float],
) -> Generator[None]:
    """Inject picture prompts into the UNet; on leaving, the processors that were there before return.

    Args:
        unet: whose cross-attention layers read pictures.
        shown: asked for the tokens at each call.
        layers: by the names of the UNet's attention processors.
        weights: of the pictures, above 0, in the order of their tokens, of which each has as many.
    """
    before = dict(unet.attn_processors)
    ours = {
        name: PictureProcessor(shown, layers[name], cast("Callable[..., torch.Tensor]", processor), weights)
        if name in layers
        else processor
        for name, processor in before.items()
    }
    # diffusers empties the dictionary that it is given.
    unet.set_attn_processor(ours)  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        unet.set_attn_processor(before)
        shown.tokens = None
