"""Errors that come from another process are those that were raised there."""

from __future__ import annotations

import pickle

import pytest

from vedit.errors import DoesNotFitError, Interrupted, MissingExtraError, NotFiniteError, VeditError

INTERRUPTED = Interrupted("stopped", remedy="go on")
INTERRUPTED.exit_code = 143


@pytest.mark.parametrize(
    "error",
    [
        VeditError("it failed"),
        DoesNotFitError("out of memory", remedy="take less"),
        NotFiniteError("decoded frames", precision="float16"),
        MissingExtraError("ray", extra="farm"),
        INTERRUPTED,
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_passes_between_processes_as_it_is(error: VeditError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again), again.exit_code) == (str(error), vars(error), error.exit_code)
