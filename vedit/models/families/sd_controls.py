"""The ControlNets and T2I-Adapters of a Stable Diffusion model as one, run no more often than what goes in changes.

A control picture is the same at every step, so it is embedded once for each set of frames, and all that a T2I-Adapter
adds is made of it once. A ControlNet without cross-attention is deaf to the prompt, so one evaluation serves a guided
step's prompt and its negative. A ControlNet of many kinds in one sees the pictures of all kinds that it is given
together, as it was trained to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from diffusers.models.adapter import T2IAdapter
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from torch.utils.weak import WeakTensorKeyDictionary

from vedit.models.branches import CONTROL_TYPES
from vedit.models.families.sd_branches import ignores_text
from vedit.models.families.sd_t2i import features_of

if TYPE_CHECKING:
    from vedit.types import ControlInput

ControlNet = ControlNetModel | ControlNetUnionModel
Branch = ControlNet | T2IAdapter
"""What reads a control."""
Added = Mapping[str, torch.Tensor] | None
"""What a network is told beside the text's states (`vedit.models.families.sd_denoiser.SDDenoiser.added`)."""


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """What controls add to a UNet."""

    down: tuple[torch.Tensor, ...] = ()
    """Of ControlNets, to each skip."""
    middle: torch.Tensor | None = None
    """Of ControlNets, behind the middle block."""
    within: tuple[torch.Tensor, ...] = ()
    """Of T2I-Adapters, in each block down, and in the middle one where there is one more."""

    def each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Residuals:
        """All of them changed in one way."""
        return Residuals(
            down=tuple(map(change, self.down)),
            middle=None if self.middle is None else change(self.middle),
            within=tuple(map(change, self.within)),
        )

    def __add__(self, other: Residuals) -> Residuals:
        (middle,) = _sums((self.middle,), (other.middle,))
        down = tuple(total for total in _sums(self.down, other.down) if total is not None)
        within = tuple(total for total in _sums(self.within, other.within) if total is not None)
        return Residuals(down=down, middle=middle, within=within)


@dataclass(frozen=True, kw_only=True)
class _Evaluated:
    """A network's output and what it depends on, besides the noisy latents."""

    timestep: int
    control: ControlInput
    residuals: Residuals

    def serves(self, timestep: int, control: ControlInput) -> bool:
        """Whether an evaluation at this timestep under this control would come to the same."""
        same = control.frames is self.control.frames and control.scale == self.control.scale
        return same and timestep == self.timestep


class ControlBranches:
    """What reads controls, by their kinds. Tensors that are given again must not have been written to in between.

    Args:
        nets: on their device; diffusers' own, which stay usable by themselves. One of many kinds stands under each.
    """

    def __init__(self, nets: Mapping[str, Branch]) -> None:
        self.nets = dict(nets)
        # By tensor object, for as long as the caller holds it.
        self._embedded: dict[str, WeakTensorKeyDictionary] = {kind: WeakTensorKeyDictionary() for kind in nets}
        self._evaluated: dict[str, WeakTensorKeyDictionary] = {
            kind: WeakTensorKeyDictionary()
            for kind, net in nets.items()
            if isinstance(net, ControlNet) and ignores_text(net.config)
        }

    def __call__(
        self,
        x: torch.Tensor,
        timestep: int,
        text: torch.Tensor,
        controls: Sequence[ControlInput],
        *,
        added: Added = None,
    ) -> Residuals | None:
        """Residuals of all controls, added as diffusers' MultiControlNet and MultiAdapter do; None without controls.

        A control with a mask adds its residuals times the mask, averaged over the area of each of their cells.

        Args:
            x: noisy latents (T, C, h, w).
            timestep: of the noise schedule.
            text: states (T, L, D).
            controls: their frames have the pixel size of `x`.
            added: what the networks are told beside the states.
        """
        total: Residuals | None = None
        for together in self._together(controls):
            residuals = self._of(x, timestep, text, together, added)
            mask = together[0].mask
            if mask is not None:
                residuals = _masked(residuals, mask)
            total = residuals if total is None else total + residuals
        return total

    def _together(self, controls: Sequence[ControlInput]) -> Iterator[tuple[ControlInput, ...]]:
        """The controls of each evaluation: one, or all without a mask that one ControlNet of many kinds is given."""
        shared: dict[ControlNetUnionModel, list[ControlInput]] = defaultdict(list)
        for control in controls:
            net = self.nets[control.branch]
            if isinstance(net, ControlNetUnionModel) and control.mask is None:
                shared[net].append(control)
            else:
                yield (control,)
        yield from map(tuple, shared.values())

    def _of(
        self, x: torch.Tensor, timestep: int, text: torch.Tensor, controls: tuple[ControlInput, ...], added: Added
    ) -> Residuals:
        control = controls[0]
        net = self.nets[control.branch]
        if isinstance(net, T2IAdapter):
            return self._features(net, control, frames=len(x))
        known = self._evaluated.get(control.branch)
        if known is None:
            return self._evaluate(net, x, timestep, text, controls, added)
        found = cast("_Evaluated | None", known.get(x))
        if found is None or not found.serves(timestep, control):
            residuals = self._evaluate(net, x, timestep, text, controls, added)
            known[x] = found = _Evaluated(timestep=timestep, control=control, residuals=residuals)
        return found.residuals

    def _features(self, net: T2IAdapter, control: ControlInput, *, frames: int) -> Residuals:
        """What a T2I-Adapter adds to so many frames, times its scale."""
        known = self._embedded[control.branch]
        found = cast("tuple[torch.Tensor, ...] | None", known.get(control.frames))
        if found is None:
            known[control.frames] = found = features_of(net, control.frames)
        # Of as many frames as there are latents: the UNet compares shapes at the middle block.
        return Residuals(within=tuple(control.scale * one.expand(frames, -1, -1, -1) for one in found))

    def _evaluate(
        self,
        net: ControlNet,
        x: torch.Tensor,
        timestep: int,
        text: torch.Tensor,
        controls: tuple[ControlInput, ...],
        added: Added,
    ) -> Residuals:
        pictures = self._pictures(net, controls, frames=len(x))
        embed = net.controlnet_cond_embedding
        # diffusers embeds the picture anew at each call: it is given what that would come to.
        net.controlnet_cond_embedding = cast("Any", torch.nn.Identity())
        try:
            down, middle = net(
                x.to(net.dtype),
                timestep,
                encoder_hidden_states=text,
                added_cond_kwargs=added,
                return_dict=False,
                **pictures,
            )
        finally:
            net.controlnet_cond_embedding = embed
        return Residuals(down=tuple(down), middle=middle)

    def _pictures(self, net: ControlNet, controls: tuple[ControlInput, ...], *, frames: int) -> dict[str, Any]:
        """The control pictures as diffusers' networks take them."""
        if not isinstance(net, ControlNetUnionModel):
            (control,) = controls
            return {"controlnet_cond": self._embedding(net, control), "conditioning_scale": control.scale}
        types = [CONTROL_TYPES[control.branch] for control in controls]
        flags = torch.zeros(frames, net.config["num_control_type"], dtype=net.dtype, device=net.device)
        flags[:, types] = 1
        return {
            "controlnet_cond": [self._embedding(net, control).expand(frames, -1, -1, -1) for control in controls],
            "control_type": flags,
            "control_type_idx": types,
            "conditioning_scale": [control.scale for control in controls],
        }

    def _embedding(self, net: ControlNet, control: ControlInput) -> torch.Tensor:
        known = self._embedded[control.branch]
        found = cast("torch.Tensor | None", known.get(control.frames))
        if found is None:
            frames = control.frames.to(net.device, net.dtype)
            reversed_channels = net.config["controlnet_conditioning_channel_order"] == "bgr"
            found = net.controlnet_cond_embedding(frames.flip(1) if reversed_channels else frames)
            # The network reverses whatever it is given.
            known[control.frames] = found = found.flip(1) if reversed_channels else found
        return found


def _masked(residuals: Residuals, mask: torch.Tensor) -> Residuals:
    def times(residual: torch.Tensor) -> torch.Tensor:
        return residual * F.adaptive_avg_pool2d(mask.to(residual), (residual.shape[-2], residual.shape[-1]))

    return residuals.each(times)


def _sums(ones: Sequence[torch.Tensor | None], others: Sequence[torch.Tensor | None]) -> Iterator[torch.Tensor | None]:
    """Sums one by one, where what is absent adds nothing."""
    for one, other in zip_longest(ones, others):
        yield other if one is None else one if other is None else one + other
