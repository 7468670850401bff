"""Models of tiny random weights, with a fast tier and without; what they evaluate is counted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from tests.support.clips import two_shots
from tests.support.tiers import counted, write_tier
from vedit.testing.tiny_sd import write_tiny_sd

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, plain_folder: Path) -> Path:
    """The same model with a fast tier."""
    folder = tmp_path_factory.mktemp("fast") / "model"
    shutil.copytree(plain_folder, folder)
    write_tier(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> SDModel:
    return counted(folder)


@pytest.fixture(scope="module")
def plain(plain_folder: Path) -> SDModel:
    return counted(plain_folder)


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")
