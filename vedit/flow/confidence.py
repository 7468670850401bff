"""How far a flow can be trusted, place by place, and what moves where it cannot.

A matcher gives a vector to every pixel, and many of them are guesses: over snow, sky and skin there is nothing to
match, and around what moves fast the two directions do not agree. Two things tell a guess:

- agreement: the way there and back ends where it began;
- riding: the frame's own fine detail, moved along the flow, lies where the other frame has it. Where a frame has no
  detail this says nothing, neither for the flow nor against it.

A vector that both bear out is evidence. Elsewhere the flow is filled in from the evidence around (normalised
convolution: Knutsson and Westin, 1993; over a pyramid, as in "The Lumigraph", Gortler et al., 1996, section 4), unless
a place has detail which the matcher's own vector fits better. What is confident afterwards is the filled flow: it
agrees, and no detail contradicts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch

from vedit.flow.estimate import find_occlusion
from vedit.flow.moved import moved
from vedit.types import OpticalFlow

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]

REFERENCE = 256
"""The shorter side in pixels that the lengths below are for; they grow with it."""
DETAIL, AROUND = 3.0, 4.0
"""Sigma of the fine band, and of the Gaussian over which it is compared."""
NOISE = 0.7 / 255
"""Deviation of fine luma that is taken for noise and quantisation: with as much detail as that, riding counts half."""
RIDES = (0.1, 0.6)
"""Correlation of the fine band with itself along the flow: none of it is believed at the first, all at the second."""
CLOSES = (0.01, 0.5)
"""|F + R|^2 at which agreement is 1/e: the first times |F|^2 + |R|^2, plus the second. As `find_occlusion` has it."""
_BETTER, _SOME = 0.2, 0.3
"""A matcher's vector that agrees gives way where its neighbours' correlates better by the first; any that correlates
less than the second does too."""
_HELD = 0.2
"""Evidence, of all that could be, against which what a coarser level says is weighed."""
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True)
class ConfidentFlow(OpticalFlow):
    """A flow that is filled in where nothing bears it out, and how far it can be trusted.

    Confidences are float (T-1, 1, H, W) in [0, 1], on the grid of frame t (forward) and t+1 (backward); they are 0
    where a pixel is occluded.
    """

    forward_confidence: torch.Tensor
    backward_confidence: torch.Tensor

    def pair(self, number: int) -> ConfidentFlow:
        """That of one pair of frames alone."""
        one = slice(number, number + 1)
        return ConfidentFlow(
            forward=self.forward[one],
            backward=self.backward[one],
            forward_occlusion=self.forward_occlusion[one],
            backward_occlusion=self.backward_occlusion[one],
            forward_confidence=self.forward_confidence[one],
            backward_confidence=self.backward_confidence[one],
        )


def confident_flow(frames: torch.Tensor, flow: OpticalFlow) -> ConfidentFlow:
    """The flow with what bears it out; each pair is judged alone, so a shot may come in chunks.

    A pair that is occluded everywhere, as `estimate_flow` marks a cut, stays as it is with a confidence of 0.

    Args:
        frames: those that the flow was found between, float (T, 3, H, W) in [0, 1].
        flow: of their T - 1 pairs, on the CPU.

    Raises:
        ValueError: another number or size of frames.
    """
    if len(frames) != len(flow.forward) + 1 or frames.shape[-2:] != flow.forward.shape[-2:]:
        raise ValueError(f"{len(flow.forward)} pairs of flow and frames {tuple(frames.shape)} do not belong together")
    fine = [fine_luma(frame) for frame in frames]
    pairs = [_confident_pair(flow, t, (fine[t], fine[t + 1])) for t in range(len(flow.forward))]
    if not pairs:
        none = flow.forward.new_zeros((0, 1, *flow.forward.shape[-2:]))
        return ConfidentFlow(**vars(flow), forward_confidence=none, backward_confidence=none)
    names = ("forward", "backward", "forward_occlusion", "backward_occlusion")
    names = (*names, "forward_confidence", "backward_confidence")
    return ConfidentFlow(**{name: torch.cat([getattr(pair, name) for pair in pairs]) for name in names})


def fine_luma(frame: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W): luma of a frame (3, H, W) less its Gaussian."""
    luma = torch.tensordot(torch.tensor(_LUMA), frame.detach().float().cpu(), 1)
    return (luma - blurred(luma, DETAIL * _scale(luma)))[None, None]


def agreement(flow: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W) in [0, 1]: how far the way along a flow (1, 2, H, W) and back along its reverse closes; 0 outside.

    exp(-|F + R|^2 / (a (|F|^2 + |R|^2) + b)) with R at the flow's end: the soft form of UnFlow's equation 2 (Meister
    et al., 2018), which `find_occlusion` cuts at 1.
    """
    back = _along(reverse, flow)
    off, length = ((flow + back).square().sum(1, keepdim=True), flow.square() + back.square())
    closing = torch.exp(-off / (CLOSES[0] * length.sum(1, keepdim=True) + CLOSES[1]))
    return closing * _inside(flow)


def riding(here: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How alike two fine bands are that should show the same, and how much there is to tell it by.

    Args:
        here: of a frame, (1, 1, H, W), see `fine_luma`.
        there: of the other, moved along the flow.

    Returns:
        The correlation 2<ab> / (<a^2> + <b^2>) in [-1, 1] in a Gaussian around each pixel; and in [0, 1) the share
        that it has of the word, by the detail of both against the noise.
    """
    sigma = AROUND * _scale(here)
    both, own, other = (blurred(product, sigma) for product in (here * there, here * here, there * there))
    energy = own + other
    return 2 * both / energy.clamp_min(1e-12), energy / (energy + 2 * NOISE**2)


def filled(flow: torch.Tensor, evidence: torch.Tensor) -> torch.Tensor:
    """A flow (1, 2, H, W) as its evidence (1, 1, H, W) tells it, smooth where there is none.

    Level by level of a pyramid the mean by evidence, and where a level has little of it the coarser level's.
    """
    weight = evidence[0, 0].numpy()
    planes = [np.ascontiguousarray(weight * axis) for axis in flow[0].numpy()]
    levels: list[list[Plane]] = [[weight, *planes]]
    while max(levels[-1][0].shape) > 2:
        height, width = levels[-1][0].shape
        half = ((width + 1) // 2, (height + 1) // 2)
        levels.append([_resized(plane, half, cv2.INTER_AREA) for plane in levels[-1]])
    coarsest, *vectors = levels.pop()
    total = max(float(coarsest.sum()), 1e-9)
    found = [np.full_like(axis, float(axis.sum()) / total) for axis in vectors]
    for weight, *vectors in reversed(levels):
        coarse = [_resized(axis, (weight.shape[1], weight.shape[0]), cv2.INTER_LINEAR) for axis in found]
        found = [
            np.asarray((axis + np.float32(_HELD) * above) / (weight + np.float32(_HELD)), np.float32)
            for axis, above in zip(vectors, coarse, strict=True)
        ]
    return torch.from_numpy(np.stack(found))[None]


def blurred(planes: torch.Tensor, sigma: float) -> torch.Tensor:
    """The Gaussian of each plane (..., H, W), mirrored at the borders; on the CPU."""
    flat = planes.detach().float().cpu().reshape(-1, *planes.shape[-2:])
    side = 2 * round(2.5 * sigma) + 1
    out = torch.empty_like(flat)
    for plane, target in zip(flat.contiguous().numpy(), out.numpy(), strict=True):
        cv2.GaussianBlur(plane, (side, side), sigma, dst=target, borderType=cv2.BORDER_REFLECT_101)
    return out.reshape(planes.shape)


def _confident_pair(flow: OpticalFlow, number: int, fine: tuple[torch.Tensor, torch.Tensor]) -> ConfidentFlow:
    one = slice(number, number + 1)
    found = OpticalFlow(**{name: value[one] for name, value in vars(flow).items()})
    if bool(found.forward_occlusion.all()) and bool(found.backward_occlusion.all()):
        nothing = torch.zeros_like(found.forward[:, :1])
        return ConfidentFlow(**vars(found), forward_confidence=nothing, backward_confidence=nothing)
    there, back = found.forward, found.backward
    first, second = fine
    forward, backward = _mended(there, back, first, second), _mended(back, there, second, first)
    hidden = find_occlusion(forward, backward), find_occlusion(backward, forward)
    ways = ((forward, backward, first, second, hidden[0]), (backward, forward, second, first, hidden[1]))
    confidences: list[torch.Tensor] = []
    for way, reverse, here, other, occluded in ways:
        rides, told = _rides(way, here, other)
        confidences.append(agreement(way, reverse) * (1 - told * (1 - _believed(rides))) * ~occluded)
    return ConfidentFlow(
        forward=forward,
        backward=backward,
        forward_occlusion=hidden[0],
        backward_occlusion=hidden[1],
        forward_confidence=confidences[0],
        backward_confidence=confidences[1],
    )


def _mended(flow: torch.Tensor, reverse: torch.Tensor, here: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The flow, filled in where nothing bears it out."""
    own, told = _rides(flow, here, other)
    agrees = agreement(flow, reverse)
    around = filled(flow, (agrees * _believed(own) * told).square())
    others, _ = _rides(around, here, other)
    # Motion edges lie where they were found: there the matcher's vector fits, and the mean of both sides does not. One
    # that does not agree, as on stripes, has to fit clearly better.
    kept = told * (agrees + (own - others) / _BETTER).clamp(0, 1) * (own / _SOME).clamp(0, 1)
    return around + kept * (flow - around)


def _rides(flow: torch.Tensor, here: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """See `riding`, of a frame's fine band and the other's moved along the flow."""
    return riding(here, _along(other, flow, cubic=True))


def _along(planes: torch.Tensor, flow: torch.Tensor, *, cubic: bool = False) -> torch.Tensor:
    """Planes (1, C, H, W) where a flow (1, 2, H, W) leads."""
    image, vectors = (np.ascontiguousarray(one[0].permute(1, 2, 0).numpy()) for one in (planes, flow))
    return torch.from_numpy(moved(image, vectors, cubic=cubic)).permute(2, 0, 1)[None]


def _believed(correlation: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W) in [0, 1]."""
    return ((correlation - RIDES[0]) / (RIDES[1] - RIDES[0])).clamp(0, 1)


def _resized(plane: Plane, size: tuple[int, int], way: int) -> Plane:
    return cast("Plane", cv2.resize(plane, size, interpolation=way))


def _inside(flow: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W): 1 where a flow ends within the picture, to half a pixel."""
    height, width = flow.shape[-2:]
    x = torch.arange(width) + flow[:, 0]
    y = torch.arange(height)[:, None] + flow[:, 1]
    return ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)).to(flow)[:, None]


def _scale(planes: torch.Tensor) -> float:
    return max(min(planes.shape[-2:]), REFERENCE) / REFERENCE
