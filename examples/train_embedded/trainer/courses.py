"""What a student's schedule of few steps is beside its teacher's: steps on the noise levels, and the target of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from torch import Tensor

from vedit.diffusion.distilled import from_timesteps, single_pass_inversion
from vedit.diffusion.samplers import Denoise, invert
from vedit.diffusion.solvers import DDIM
from vedit.diffusion.trajectory import PreservingStep, PreservingTrajectory
from vedit.models.distilled import Schedule
from vedit.types import Latents

SCHEDULES = {
    # 4 evaluations after one of the inversion.
    "draft": Schedule(sampling=(851, 638, 426, 213), inversion=(1,)),
    # 10 after 10 of the inversion. With as few stops as that, those at these levels retrace the source best.
    "standard": Schedule(
        sampling=(901, 811, 721, 631, 541, 451, 361, 271, 181, 81), inversion=(671, 451, 251, 81), fixed_point=2
    ),
}
"""What the fast tier is distilled for, and what the model is finished on."""
VELOCITY = DDIM(prediction="v_prediction")
"""How a step is taken with what the networks say."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """One schedule of the tier, laid out on the model's noise levels.

    Attributes:
        coarse: the student's steps.
        fine: the teacher's, `parts` to each of the student's.
        up: of the inversion.
        leaps: how that is walked (`vedit.models.distilled.Schedule`).
    """

    coarse: PreservingTrajectory
    fine: PreservingTrajectory
    parts: int
    up: PreservingTrajectory
    leaps: bool


def course_of(schedule: Schedule, config: Mapping[str, object], *, span: int | None = None) -> Course:
    """A schedule beside a teacher whose steps span about `span` timesteps.

    Args:
        schedule: of the tier.
        config: of the model's scheduler.
        span: of a step of the teacher; None: there is none, and the steps are not parted.

    Raises:
        ValueError: the timesteps are not the model's.
    """
    parts = 1 if span is None else parts_of(schedule.sampling, span)
    return Course(
        coarse=from_timesteps(config, schedule.sampling),
        fine=from_timesteps(config, refined(schedule.sampling, parts)),
        parts=parts,
        up=from_timesteps(config, schedule.stops(1.0)),
        leaps=schedule.fixed_point == 0,
    )


def refined(timesteps: Sequence[int], parts: int) -> tuple[int, ...]:
    """Each step cut into `parts` steps of about the same number of timesteps, the last one as if it ended at 0."""
    ends = [*timesteps[1:], 0]
    return tuple(
        round(start + (end - start) * part / parts)
        for start, end in zip(timesteps, ends, strict=True)
        for part in range(parts)
    )


def parts_of(timesteps: Sequence[int], span: int) -> int:
    """How many of the teacher's steps, each of about `span` timesteps, go into one of these; at least one."""
    return max(1, round(timesteps[0] / len(timesteps) / span))


def climbed(denoise: Denoise, clean: Tensor, up: PreservingTrajectory, *, leaping: bool) -> Tensor:
    """Where an inversion leads, (N, C, h, w), as at inference; but one that is solved for is evaluated once a step."""
    if leaping:
        return single_pass_inversion(denoise, clean, up)
    *_, last = invert(denoise, Latents(data=clean), up, fixed_point=1)
    return last.data


def velocity_between(x: Tensor, landed: Tensor, step: PreservingStep) -> Tensor:
    """The v that takes `x` at the step's noisy end to `landed` at its clean end in one DDIM step.

    Salimans & Ho 2022, appendix D: in v a step is the rotation landed = cos(d) x - sin(d) v by the difference d of the
    two levels' angles; their appendix G asks for the same of x0.
    """
    cosine = sqrt(step.alpha * step.alpha_cleaner) + sqrt((1 - step.alpha) * (1 - step.alpha_cleaner))
    sine = sqrt((1 - step.alpha) * step.alpha_cleaner) - sqrt(step.alpha * (1 - step.alpha_cleaner))
    return (cosine * x - landed) / sine
