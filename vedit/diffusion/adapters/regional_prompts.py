"""Prompts for parts of the picture, as an adapter: injected into networks, and taken out without a trace.

Every cross-attention layer attends to the base prompt and to each region's prompt in turn, all with the picture's own
queries, and mixes the answers by the regions' masks on the layer's token grid. Averaging by masks is what
MultiDiffusion (Bar-Tal et al. 2023) does with whole outputs of the network; done inside the layers that read the text,
one pass serves all regions and self-attention keeps them one picture. DenseDiffusion (Kim et al. 2023) and VideoGrain
(Yang et al. 2025) reach for the same layers in another way: they bias one softmax over one text that names all regions,
which needs to know the words of each and lets a word be seen outside its region.

Networks that also add a pooled text to their time embedding (`addition_embed_type` "text", and "text_time" where an
encoder makes it) get it by region too, in every resnet: left out, the base prompt would go on steering the whole
picture through it. Frames never mix here, so how they are cut into network calls does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch.nn import functional as F

from vedit.diffusion.trajectories import halved_grid

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.diffusion.conditioning import RegionConditioning

    Network = UNet2DConditionModel | ControlNetModel | ControlNetUnionModel


class RegionalPrompts:
    """The regions of the frames in the next network call, as its layers ask for them."""

    def __init__(self) -> None:
        self.prompts: tuple[torch.Tensor, ...] = ()
        """Text states (1, L, D) of each region; empty where none is shown."""
        self.pooled: tuple[torch.Tensor, ...] = ()
        """What an encoder made of each region's text as a whole, (1, P), for models that take it."""
        self._masks = torch.empty(0)
        self._weights: dict[tuple[int, int], torch.Tensor] = {}

    def show(self, regions: Sequence[RegionConditioning]) -> None:
        """The regions of the frames in the next network call; none leave the call's own prompt everywhere."""
        self.prompts = tuple(region.prompt.states for region in regions)
        self.pooled = tuple(r.prompt.others["pooled"] for r in regions if "pooled" in r.prompt.others)
        self._masks = torch.cat([region.mask for region in regions], dim=1) if regions else torch.empty(0)
        self._weights.clear()

    def weights(self, grid: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
        """The share of the base prompt and of each region in each cell, (1 + R, T, h, w), summing to 1.

        Regions that cover a cell together more than once share it; what they leave of it is the base prompt's.
        """
        if grid not in self._weights:
            masks = F.adaptive_avg_pool2d(self._masks.float(), grid).transpose(0, 1)
            shares = masks / masks.sum(0, keepdim=True).clamp_min(1)
            rest = (1 - shares.sum(0, keepdim=True)).clamp_min(0)
            self._weights[grid] = torch.cat([rest, shares]).to(like)
        return self._weights[grid]

    def token_grid(self, tokens: int) -> tuple[int, int]:
        """(h, w) of a layer by its number of tokens: networks halve their sides, rounded up.

        Raises:
            ValueError: no number of halvings leads there.
        """
        return halved_grid((self._masks.shape[-2], self._masks.shape[-1]), tokens)


class RegionalProcessor:
    """diffusers attention processor of one cross-attention layer; `before` answers for each prompt.

    Mixing what `before` returns equals mixing before the layer's output projection, which is affine, since the
    weights sum to 1.
    """

    def __init__(self, prompts: RegionalPrompts, before: Callable[..., torch.Tensor]) -> None:
        self.prompts = prompts
        self.before = before

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **rest: Any,
    ) -> torch.Tensor:
        """hidden_states (T, L, D) -> (T, L, D)."""

        def answer(text: torch.Tensor | None) -> torch.Tensor:
            return self.before(attn, hidden_states, encoder_hidden_states=text, attention_mask=attention_mask, **rest)

        if not self.prompts.prompts or encoder_hidden_states is None:
            return answer(encoder_hidden_states)
        weights = self.prompts.weights(self.prompts.token_grid(hidden_states.shape[1]), hidden_states)
        regional = [states.to(hidden_states).expand(len(hidden_states), -1, -1) for states in self.prompts.prompts]
        mixed = torch.zeros_like(hidden_states)
        for share, text in zip(weights.flatten(2).unsqueeze(3), (encoder_hidden_states, *regional), strict=True):
            mixed = mixed + share * answer(text)
        return mixed


class RegionalEmbedding:
    """The pooled text of one network by region: what its resnets take from the time embedding varies over the picture.

    A resnet adds a projection of its time embedding, or scales and shifts by it, after its first convolution. While
    regions are shown its own projection is silenced, and the mixed ones of all prompts take its place.
    """

    def __init__(self, prompts: RegionalPrompts, *, beside_sizes: bool) -> None:
        self.prompts = prompts
        self.beside_sizes = beside_sizes
        self._changes: list[torch.Tensor] = []

    def inject(self, network: Network) -> Callable[[], None]:
        """Returns what takes it out."""
        with ExitStack() as hooks:
            hooks.callback(cast("torch.nn.Module", network.add_embedding).register_forward_hook(self._pooled).remove)
            for module in network.modules():
                if isinstance(module, ResnetBlock2D) and module.time_emb_proj is not None:
                    self._inject_resnet(module, hooks)
            return hooks.pop_all().close

    def _pooled(self, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        # `forward`, since calling the module would come back here.
        self._changes = [module.forward(own.to(output)) - output for own in self._inputs(args[0])]

    def _inputs(self, own: torch.Tensor) -> Sequence[torch.Tensor]:
        """What the embedding takes of each region, in the place of the call's own."""
        if not self.beside_sizes:
            return self.prompts.prompts
        # The sizes of the picture stand behind the text, (T, P + 6 S), and are the same in every region.
        pooled = [one.to(own).expand(len(own), -1) for one in self.prompts.pooled]
        return [torch.cat([one, own[:, one.shape[1] :]], dim=1) for one in pooled]

    def _inject_resnet(self, resnet: ResnetBlock2D, hooks: ExitStack) -> None:
        projection = cast("torch.nn.Module", resnet.time_emb_proj)
        embedding = torch.empty(0)
        projected: list[torch.Tensor] = []

        def receive(_: torch.nn.Module, args: tuple[Any, ...]) -> None:
            nonlocal embedding
            embedding = args[1]

        def project(_: torch.nn.Module, __: tuple[Any, ...], own: torch.Tensor) -> torch.Tensor | None:
            nonlocal projected
            if not self._changes:
                return None
            regional = [embedding + change for change in self._changes]
            if not resnet.skip_time_act:
                regional = [resnet.nonlinearity(value) for value in regional]
            projected = [own, *(projection.forward(value) for value in regional)]
            return torch.zeros_like(own)

        def mixed(like: torch.Tensor) -> torch.Tensor:
            weights = self.prompts.weights((like.shape[-2], like.shape[-1]), like).unsqueeze(2)
            return torch.stack(
                [share * own[:, :, None, None] for share, own in zip(weights, projected, strict=True)]
            ).sum(0)

        def add(_: torch.nn.Module, args: tuple[Any, ...]) -> tuple[torch.Tensor] | None:
            return (args[0] + mixed(args[0]),) if self._changes else None

        def scale_and_shift(_: torch.nn.Module, __: tuple[Any, ...], normed: torch.Tensor) -> torch.Tensor | None:
            if not self._changes:
                return None
            scale, shift = mixed(normed).chunk(2, dim=1)
            return normed * (1 + scale) + shift

        hooks.callback(resnet.register_forward_pre_hook(receive).remove)
        hooks.callback(projection.register_forward_hook(project).remove)
        if resnet.time_embedding_norm == "scale_shift":
            hooks.callback(resnet.norm2.register_forward_hook(scale_and_shift).remove)
        else:
            hooks.callback(resnet.norm2.register_forward_pre_hook(add).remove)


@contextmanager
def regional_prompts(*networks: Network) -> Generator[RegionalPrompts]:
    """Inject regional prompts into the networks; on leaving they are as before.

    ControlNets too: one that reads the text was trained with the prompt of the picture that results, and in a region
    that is the region's. Yields what is shown the regions before each network call.
    """
    prompts = RegionalPrompts()
    with ExitStack() as stack:
        stack.callback(prompts.show, ())
        for network in networks:
            stack.enter_context(_regional_attention(network, prompts))
            added = network.config.get("addition_embed_type")
            if added in ("text", "text_time"):
                stack.callback(RegionalEmbedding(prompts, beside_sizes=added == "text_time").inject(network))
        yield prompts


@contextmanager
def _regional_attention(network: Network, prompts: RegionalPrompts) -> Generator[None]:
    before = dict(network.attn_processors)
    ours = {
        name: RegionalProcessor(prompts, cast("Callable[..., torch.Tensor]", processor))
        if ".attn2." in name
        else processor
        for name, processor in before.items()
    }
    # diffusers empties the dictionary that it is given.
    network.set_attn_processor(ours)  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        network.set_attn_processor(before)
