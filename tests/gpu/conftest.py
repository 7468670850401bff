"""What all of these need: a CUDA device."""

from __future__ import annotations

import os

import pytest
import torch


@pytest.fixture(autouse=True)
def device() -> None:
    if torch.cuda.is_available():
        return
    if os.environ.get("VEDIT_REQUIRE_GPU"):
        pytest.fail("VEDIT_REQUIRE_GPU is set, and there is no CUDA device")
    pytest.skip("there is no CUDA device")
