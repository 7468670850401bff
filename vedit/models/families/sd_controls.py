"""The ControlNets of a Stable Diffusion model as one, evaluated no more often than what goes in changes.

A control picture is the same at every step, so it is embedded once for each set of frames. A ControlNet without
cross-attention is deaf to the prompt, so one evaluation serves a guided step's prompt and its negative. A ControlNet of
many kinds in one sees the pictures of all kinds that it is given together, as it was trained to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from torch.utils.weak import WeakTensorKeyDictionary

from vedit.models.branches import CONTROL_TYPES

if TYPE_CHECKING:
    from vedit.types import ControlInput

ControlNet = ControlNetModel | ControlNetUnionModel
Added = Mapping[str, torch.Tensor] | None
"""What a network is told beside the text's states (`vedit.models.families.sd_denoiser.SDDenoiser.added`)."""


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """What ControlNets add to a UNet: to each skip, and to the middle block."""

    down: tuple[torch.Tensor, ...]
    middle: torch.Tensor


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
    """ControlNets by kind of control. Tensors that are given again must not have been written to in between.

    Args:
        nets: on their device; diffusers' own, which stay usable by themselves. One of many kinds stands under each.
    """

    def __init__(self, nets: Mapping[str, ControlNet]) -> None:
        self.nets = dict(nets)
        # By tensor object, for as long as the caller holds it.
        self._embedded: dict[str, WeakTensorKeyDictionary] = {kind: WeakTensorKeyDictionary() for kind in nets}
        self._evaluated: dict[str, WeakTensorKeyDictionary] = {
            kind: WeakTensorKeyDictionary() for kind, net in nets.items() if ignores_text(net)
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
        """Residuals of all controls, added as diffusers' MultiControlNet adds them; None without controls.

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
            total = residuals if total is None else _sum(total, residuals)
        return total

    def _together(self, controls: Sequence[ControlInput]) -> Iterator[tuple[ControlInput, ...]]:
        """The controls of each evaluation: one, or all without a mask that one ControlNet of many kinds is given."""
        shared: dict[ControlNet, list[ControlInput]] = defaultdict(list)
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
        known = self._evaluated.get(control.branch)
        if known is None:
            return self._evaluate(x, timestep, text, controls, added)
        found = cast("_Evaluated | None", known.get(x))
        if found is None or not found.serves(timestep, control):
            residuals = self._evaluate(x, timestep, text, controls, added)
            known[x] = found = _Evaluated(timestep=timestep, control=control, residuals=residuals)
        return found.residuals

    def _evaluate(
        self, x: torch.Tensor, timestep: int, text: torch.Tensor, controls: tuple[ControlInput, ...], added: Added
    ) -> Residuals:
        net = self.nets[controls[0].branch]
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
            return {"controlnet_cond": self._embedding(control), "conditioning_scale": control.scale}
        types = [CONTROL_TYPES[control.branch] for control in controls]
        flags = torch.zeros(frames, net.config["num_control_type"], dtype=net.dtype, device=net.device)
        flags[:, types] = 1
        return {
            "controlnet_cond": [self._embedding(control).expand(frames, -1, -1, -1) for control in controls],
            "control_type": flags,
            "control_type_idx": types,
            "conditioning_scale": [control.scale for control in controls],
        }

    def _embedding(self, control: ControlInput) -> torch.Tensor:
        known, net = self._embedded[control.branch], self.nets[control.branch]
        found = cast("torch.Tensor | None", known.get(control.frames))
        if found is None:
            frames = control.frames.to(net.device, net.dtype)
            reversed_channels = net.config["controlnet_conditioning_channel_order"] == "bgr"
            found = net.controlnet_cond_embedding(frames.flip(1) if reversed_channels else frames)
            # The network reverses whatever it is given.
            known[control.frames] = found = found.flip(1) if reversed_channels else found
        return found


def ignores_text(net: ControlNet) -> bool:
    """Whether a ControlNet has nothing through which a prompt could reach it."""
    cross_attention = any(".attn2." in name for name in net.attn_processors)
    return not cross_attention and net.config["addition_embed_type"] is None


def _masked(residuals: Residuals, mask: torch.Tensor) -> Residuals:
    def times(residual: torch.Tensor) -> torch.Tensor:
        return residual * F.adaptive_avg_pool2d(mask.to(residual), (residual.shape[-2], residual.shape[-1]))

    return Residuals(down=tuple(map(times, residuals.down)), middle=times(residuals.middle))


def _sum(one: Residuals, other: Residuals) -> Residuals:
    return Residuals(
        down=tuple(a + b for a, b in zip(one.down, other.down, strict=True)), middle=one.middle + other.middle
    )
