"""Models loaded once for tests that render many times."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.ref import ModelRef
from vedit.models.resolve import resolve
from vedit.options.request import QUALITIES
from vedit.testing.tiny_sd import write_tiny_sd


def load_once(model: ModelRef, loading: Loading, *, controls: tuple[str, ...]) -> SDModel:
    """In place of `vedit.models.load.load`: the embedded model, under whatever name it goes."""
    assert not model.source.controlnets
    return _loaded(loading, controls)


@cache
def _loaded(loading: Loading, controls: tuple[str, ...]) -> SDModel:
    return load_sd(resolve("embedded"), loading, controls=controls)


def load_tiny(model: ModelRef, loading: Loading, *, controls: tuple[str, ...]) -> SDModel:
    """In place of `vedit.models.load.load`: random weights under the name that is asked for, where no look matters.

    A render takes less than half the time. There is no fast tier.
    """
    assert not model.source.controlnets
    return replace(_loaded_tiny(loading, controls), name=model.name, traits=model.traits)


@cache
def _loaded_tiny(loading: Loading, controls: tuple[str, ...]) -> SDModel:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return load_sd(resolve(str(write_tiny_sd(Path(folder) / "tiny"))), loading, controls=controls)


@contextmanager
def small_frames() -> Generator[None]:
    """Renders may be as small as `short_side` allows, and drafts are: for tests in which no look matters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vedit.models.families.stable_diffusion.MINIMUM_SIDE", 64)
        patch.setitem(QUALITIES, "draft", replace(QUALITIES["draft"], short_side=64))
        yield


@contextmanager
def small_renders() -> Generator[None]:
    """Small frames by `load_tiny`: a draft takes a sixth of the time of the embedded model's."""
    with small_frames(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("vedit.render.prepare.load", load_tiny)
        yield
