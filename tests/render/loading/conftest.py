"""A model and a clip, which the settings of how a model is loaded are tried on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clips import two_shots
from tests.support.loaded import small_frames
from vedit.testing.tiny_sd import write_tiny_sd


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with small_frames():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("loading") / "model", controls=())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")
