"""A restyle under each attention method: the same however frames are called, beside all else that is in the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from vedit.diffusion.adapters import self_attention
from vedit.models.attention import attention_facts
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.registry.attention import OWN, PLACED
from vedit.testing.surroundings import shifted
from vedit.testing.tiny_sd import write_tiny_sd

NUMBERS = (0, *range(30, 39))
"""Of an anchor, and of frames that lie further on: keys are places 0, 1, 5 and 9."""
LOOK = RestyleOptions(
    prompt="night", negative_prompt="a photo", guidance=3.0, steps=2, fixed_point=1, inject="1,0.5", batch=4
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = resolve(str(write_tiny_sd(tmp_path_factory.mktemp("model") / "tiny")))
    return load(found, controls=found.control_kinds)


def restyled(model: Any, look: RestyleOptions) -> torch.Tensor:
    frames = shifted((64, 64), len(NUMBERS))
    restyler = prepare(model, look)
    return restyle_frames(restyler, frames, NUMBERS, own_guides(restyler)(NUMBERS, frames)).data


@pytest.mark.parametrize("name", PLACED)
def test_batches_do_not_matter_and_the_method_does(model: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_attention, "LARGE", 16)
    look = replace(LOOK, attention=name)
    whole = restyled(model, look)
    assert torch.equal(restyled(model, look), whole)
    torch.testing.assert_close(restyled(model, replace(look, batch=3)), whole, rtol=0, atol=2e-3)
    moved = (whole - restyled(model, replace(LOOK, attention="none"))).abs().amax((1, 2, 3))
    assert float(moved.max()) > 1e-2
    if name != "flatten":  # its first frame has nothing behind it, nor has the one after the anchor
        assert float(moved[0]) < 2e-3, "the first key sees itself alone"


def test_frames_of_one_method_are_never_taken_for_anothers(tmp_path: Path) -> None:
    told = [attention_facts(replace(LOOK, attention=name)) for name in OWN]
    assert all(told.count(one) == 1 for one in told)
