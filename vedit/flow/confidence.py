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
from vedit.flow.planes import blurred, grid, moved
from vedit.threads import each_on_a_thread
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
    pairs = list(each_on_a_thread(lambda t: _confident_pair(flow, t, fine[t], fine[t + 1]), range(len(flow.forward))))
    if not pairs:
        none = flow.forward.new_zeros((0, 1, *flow.forward.shape[-2:]))
        return ConfidentFlow(**vars(flow), forward_confidence=none, backward_confidence=none)
    names = ("forward", "backward", "forward_occlusion", "backward_occlusion")
    names = (*names, "forward_confidence", "backward_confidence")
    return ConfidentFlow(**{name: torch.cat([getattr(pair, name) for pair in pairs]) for name in names})


def fine_luma(frame: torch.Tensor) -> Plane:
    """(h, w): luma of a frame (3, h, w) less its Gaussian."""
    luma = torch.tensordot(torch.tensor(_LUMA), frame.detach().float().cpu(), 1).numpy()
    return luma - blurred(luma, DETAIL * _scale(luma))


def agreement(flow: Plane, reverse: Plane) -> Plane:
    """(h, w) in [0, 1]: how far the way along a flow (h, w, 2) and back along its reverse closes; 0 outside.

    exp(-|F + R|^2 / (a (|F|^2 + |R|^2) + b)) with R at the flow's end: the soft form of UnFlow's equation 2 (Meister
    et al., 2018), which `find_occlusion` cuts at 1.
    """
    back = moved(reverse, flow)
    length = _squared(flow) + _squared(back)
    closing = np.exp(_squared(back + flow) / (np.float32(-CLOSES[0]) * length - np.float32(CLOSES[1])))
    return np.asarray(closing * _inside(flow), np.float32)


def riding(here: Plane, there: Plane) -> tuple[Plane, Plane]:
    """How alike two fine bands are that should show the same, and how much there is to tell it by.

    Args:
        here: of a frame, (h, w), see `fine_luma`.
        there: of the other, moved along the flow.

    Returns:
        The correlation 2<ab> / (<a^2> + <b^2>) in [-1, 1] in a Gaussian around each pixel; and in [0, 1) the share
        that it has of the word, by the detail of both against the noise.
    """
    products = np.asarray(cv2.merge([here * there, here * here + there * there]), np.float32)
    both, energy = cv2.split(blurred(products, AROUND * _scale(here)))
    alike = 2 * both / np.maximum(energy, np.float32(1e-12))
    return np.asarray(alike, np.float32), np.asarray(energy / (energy + np.float32(2 * NOISE**2)), np.float32)


def filled(flow: Plane, evidence: Plane) -> Plane:
    """A flow (h, w, 2) as its evidence (h, w) tells it, smooth where there is none.

    Level by level of a pyramid the mean by evidence, and where a level has little of it the coarser level's.
    """
    weighed = cv2.merge([evidence, *(flow[..., axis] * evidence for axis in (0, 1))])
    levels = [np.asarray(weighed, np.float32)]
    while max(levels[-1].shape) > 3:
        height, width = levels[-1].shape[:2]
        levels.append(_resized(levels[-1], ((width + 1) // 2, (height + 1) // 2), cv2.INTER_AREA))
    coarsest = levels.pop()
    total = max(float(coarsest[..., 0].sum()), 1e-9)
    found = np.empty((*coarsest.shape[:2], 2), np.float32)
    found[:] = coarsest[..., 1:].sum((0, 1)) / total
    for level in reversed(levels):
        coarse = _resized(found, (level.shape[1], level.shape[0]), cv2.INTER_LINEAR)
        held = np.float32(_HELD)
        found = np.asarray((level[..., 1:] + held * coarse) / (level[..., :1] + held), np.float32)
    return found


def _confident_pair(flow: OpticalFlow, number: int, first: Plane, second: Plane) -> ConfidentFlow:
    one = slice(number, number + 1)
    found = OpticalFlow(**{name: value[one] for name, value in vars(flow).items()})
    if bool(found.forward_occlusion.all()) and bool(found.backward_occlusion.all()):
        nothing = torch.zeros_like(found.forward[:, :1])
        return ConfidentFlow(**vars(found), forward_confidence=nothing, backward_confidence=nothing)
    there, back = _vectors(found.forward), _vectors(found.backward)
    forward, backward = _mended(there, back, first, second), _mended(back, there, second, first)
    ways = (_planes(forward), _planes(backward))
    hidden = find_occlusion(*ways), find_occlusion(*reversed(ways))
    sure: list[torch.Tensor] = []
    directions = ((forward, backward, first, second), (backward, forward, second, first))
    for (way, reverse, here, other), occluded in zip(directions, hidden, strict=True):
        rides, told = _rides(way, here, other)
        confidence = agreement(way, reverse) * (1 - told * (1 - _believed(rides)))
        sure.append(torch.from_numpy(confidence)[None, None] * ~occluded)
    return ConfidentFlow(
        forward=ways[0],
        backward=ways[1],
        forward_occlusion=hidden[0],
        backward_occlusion=hidden[1],
        forward_confidence=sure[0],
        backward_confidence=sure[1],
    )


def _mended(flow: Plane, reverse: Plane, here: Plane, other: Plane) -> Plane:
    """The flow, filled in where nothing bears it out."""
    own, told = _rides(flow, here, other)
    agrees = agreement(flow, reverse)
    around = filled(flow, np.square(agrees * _believed(own) * told))
    others, _ = _rides(around, here, other)
    # Motion edges lie where they were found: there the matcher's vector fits, and the mean of both sides does not. One
    # that does not agree, as on stripes, has to fit clearly better.
    better = np.clip(agrees + (own - others) / np.float32(_BETTER), 0, 1)
    kept = told * better * np.clip(own / np.float32(_SOME), 0, 1)
    return np.asarray(around + kept[..., None] * (flow - around), np.float32)


def _rides(flow: Plane, here: Plane, other: Plane) -> tuple[Plane, Plane]:
    """See `riding`, of a frame's fine band and the other's moved along the flow."""
    return riding(here, moved(other, flow, cubic=True))


def _believed(correlation: Plane) -> Plane:
    """(h, w) in [0, 1]."""
    low, high = map(np.float32, RIDES)
    return np.asarray(np.clip((correlation - low) / (high - low), 0, 1), np.float32)


def _squared(vectors: Plane) -> Plane:
    """(h, w): the squared length of vectors (h, w, 2)."""
    return np.square(vectors[..., 0]) + np.square(vectors[..., 1])


def _vectors(flow: torch.Tensor) -> Plane:
    """(1, 2, h, w) -> (h, w, 2)."""
    return cast("Plane", cv2.merge([np.ascontiguousarray(axis) for axis in flow[0].detach().float().numpy()]))


def _planes(flow: Plane) -> torch.Tensor:
    """(h, w, 2) -> (1, 2, h, w)."""
    return torch.from_numpy(np.stack(cv2.split(flow)))[None]


def _resized(plane: Plane, size: tuple[int, int], way: int) -> Plane:
    return cast("Plane", cv2.resize(plane, size, interpolation=way))


def _inside(flow: Plane) -> npt.NDArray[np.bool_]:
    """(h, w): where a flow ends within the picture, to half a pixel."""
    height, width = flow.shape[:2]
    x, y = cv2.split(grid(height, width) + flow)
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)


def _scale(plane: Plane) -> float:
    return max(min(plane.shape[:2]), REFERENCE) / REFERENCE
