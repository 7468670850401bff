"""One loaded model with everything encoded for each look of a job, in a precision that its numbers fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vedit.errors import FULL, NotFiniteError
from vedit.models.load import load
from vedit.options.controls import branch
from vedit.pipelines.pipeline import Prepared, load_pipeline

if TYPE_CHECKING:
    from vedit.diffusion.inversion_cache import TensorCache
    from vedit.render.job import Job


def load_prepared(
    looks: Sequence[Job], inversions: TensorCache | None = None, *, precision: str | None = None
) -> tuple[tuple[Prepared, ...], tuple[str, ...]]:
    """One model on its device with everything encoded for each look, and what the user should know of another try.

    Args:
        looks: `Job.looks` of one job, at least one.
        inversions: where inversions are kept for later renders.
        precision: what the networks compute in, whatever the job asks for; None is what it does, or float32 where that
            overflows.

    Raises:
        NotFiniteError: the states of a prompt are not finite in float32 either.
        ModelError: the model cannot be loaded, or has weights that are not finite.
    """
    try:
        return _load_restylers(looks, inversions, precision), ()
    except NotFiniteError as error:
        return _load_restylers(looks, inversions, in_full(error)), (said_of(error),)


def in_full(error: NotFiniteError) -> str:
    """The precision to try again in. Raises the error where it was that already."""
    if error.precision == FULL:
        raise error
    return FULL


def said_of(error: NotFiniteError) -> str:
    """What the user reads of another try."""
    return f"{error.message}: again in {FULL}, which takes more memory"


def _load_restylers(
    looks: Sequence[Job], inversions: TensorCache | None, precision: str | None
) -> tuple[Prepared, ...]:
    asked = [spec for look in looks for spec in look.request.options.controls]
    loading = looks[0].loading if precision is None else looks[0].loading.computing_in(precision)
    model = load(looks[0].model, loading, controls=tuple(dict.fromkeys(branch(spec.kind) for spec in asked)))
    options = [look.timed_options for look in looks]
    return tuple(load_pipeline(each.pipeline).prepare(model, each, inversions) for each in options)
