"""Inversions of earlier renders, kept by what decides them, so that another prompt does not invert the source anew.

What decides an inversion is told by content: the very latents, maps and states that enter it. So nothing that lies
before them (decoding, fitting, masks, anchors, preprocessors and their weights) can change without being noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import torch

from vedit.store.computed_on import computed_on

if TYPE_CHECKING:
    from vedit.diffusion.conditioning import Conditioning
    from vedit.diffusion.solvers import Trajectory
    from vedit.types import Latents

HALF = torch.float16
"""What is kept of an inversion beside the beginning of the sampling."""
FORMAT = 1
"""Raised where inversions of an older vedit must not be used any more."""


class TensorCache(Protocol):
    """Tensors on disk by what decides them (`vedit.store.computed.ComputedCache`)."""

    def tensors(self, facts: Mapping[str, object]) -> Mapping[str, torch.Tensor] | None:
        """Those of an entry, to the last bit; None where there is none or it is damaged."""
        ...

    def keep_tensors(
        self, facts: Mapping[str, object], tensors: Mapping[str, torch.Tensor], *, needed_again: bool = False
    ) -> None:
        """Keep them as the entry, in the place of one that is there; not to be able to is no error.

        Args:
            facts: what decides them.
            tensors: by name.
            needed_again: by this render already, so that they are kept even where nothing outlives it.
        """
        ...


def inversion_facts(
    source: Latents,
    describe: Conditioning,
    path: Trajectory,
    *,
    fixed_point: int,
    cross_frame: bool,
    batch: int,
    fingerprint: Mapping[str, str],
    attention: object = None,
    method: str = "fixed-point",
    noise: Sequence[torch.Tensor] = (),
    halves: int = 0,
) -> dict[str, object]:
    """Everything that decides what `samplers.invert` yields or `few_steps.leap` returns, JSON-able.

    Args:
        source: clean latents of all frames that are inverted together, in order.
        describe: what the source is described by.
        path: the trajectory.
        fixed_point: model evaluations per step; 0 of a leap.
        cross_frame: frames attend to each other.
        batch: frames per network call, which decides the last bits.
        fingerprint: of the weights, by part.
        attention: what tells a plug-in's attention method; None of vedit's own.
        method: of the inversion, as options name it.
        noise: that the method draws, whatever the seed.
        halves: how many of the first of what is made are rounded to half precision.
    """
    others = {name: _digest(one) for name, one in sorted(describe.prompt.others.items())}
    return {
        "inversion": FORMAT,
        "source": _digest(source.data),
        "computed on": computed_on(source.data.device),
        "prompt": _digest(describe.prompt.states),
        **({"prompt's others": others} if others else {}),
        "controls": [
            {
                "kind": control.map.kind,
                "acts": [control.spec.scale, control.spec.start, control.spec.end],
                "map": _digest(control.map.frames),
                "mask": None if control.mask is None else _digest(control.mask),
            }
            for control in describe.controls
        ],
        "path": [path.solver.name, *(step.facts for step in path.steps)],
        "fixed_point": fixed_point,
        "cross_frame": cross_frame,
        **({} if attention is None else {"attention": attention}),
        "batch": batch,
        **({} if method == "fixed-point" else {"method": method}),
        **({"noise": [_digest(one) for one in noise]} if noise else {}),
        **({"halves": halves} if halves else {}),
        "weights": dict(fingerprint),
    }


def kept_inversion(
    kept: TensorCache,
    facts: Mapping[str, object],
    source: torch.Tensor,
    count: int,
    invert: Callable[[], Sequence[torch.Tensor]],
    *,
    whole: bool,
    halves: int = 0,
) -> list[torch.Tensor]:
    """What an inversion leads to, from the disk or made now and kept.

    Args:
        kept: where.
        facts: from `inversion_facts`.
        source: the latents that are inverted.
        count: steps of the trajectory.
        invert: makes it: the latents after each step where `whole`, else the last alone.
        whole: all steps are needed, for what a mask leaves of the source.
        halves: how many of the first are rounded to half precision already, and kept so.

    Returns:
        What `invert` returns, to the last bit, on the source's device and laid out in memory as it is: how it lies
        decides which sums the network makes of it.
    """
    names = [f"step {number}" for number in range(1, count + 1)]
    wanted = names if whole else names[-1:]
    found = kept.tensors(facts)
    if found is not None and all(name in found for name in wanted):
        return [torch.empty_like(source).copy_(found[name]) for name in wanted]
    made = list(invert())
    if all((data.dtype, data.stride()) == (source.dtype, source.stride()) for data in made):
        held = [data.to(HALF) if number < halves else data for number, data in enumerate(made)]
        kept.keep_tensors(facts, dict(zip(wanted, held, strict=True)))
    return made


def _digest(values: torch.Tensor) -> str:
    data = values.detach().contiguous().cpu()
    told = hashlib.sha256(f"{data.dtype} {tuple(data.shape)} ".encode())
    told.update(data.flatten().view(torch.uint8).numpy().data)
    return told.hexdigest()
