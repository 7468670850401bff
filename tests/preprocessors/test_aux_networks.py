"""The real networks of controlnet-aux with random weights, beside its own detectors; skipped where it is absent.

Most need no more than `pip install --no-deps controlnet-aux` and einops. The comparison with the detectors imports
the package as a whole, and with it torchvision.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vedit.preprocessors import aux_edges as edges
from vedit.preprocessors import aux_lines as lines
from vedit.preprocessors import aux_load, aux_normal, aux_openpose

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("controlnet_aux") is None or find_spec("einops") is None,
        reason="controlnet-aux is not installed: pip install --no-deps controlnet-aux && pip install einops",
    ),
]

Case = tuple[Callable[..., torch.Tensor], str, Callable[[], torch.nn.Module], str, dict[str, Any]]
# Of each kind: the control, its weights, what builds the network, the detector's place, and what it is told.
CASES: dict[str, Case] = {
    "hed": (edges.hed, "hed", edges._hed, "hed:HEDdetector", {}),
    "pidi": (edges.pidi, "pidinet", edges._pidi, "pidi:PidiNetDetector", {}),
    "teed": (edges.teed, "teed", edges._teed, "teed:TEEDdetector", {"safe_steps": 0}),
    "lineart": (lines.lineart, "lineart", lines._lineart, "lineart:LineartDetector", {}),
    "anime": (lines.lineart_anime, "lineart-anime", lines._lineart_anime, "lineart_anime:LineartAnimeDetector", {}),
    "mlsd": (lines.mlsd, "mlsd", lines._mlsd, "mlsd:MLSDdetector", {}),
    "normal": (aux_normal.normal, "normalbae", aux_normal._normal, "normalbae:NormalBaeDetector", {}),
    "openpose": (aux_openpose.openpose, "openpose-body", aux_openpose._network, "open_pose:OpenposeDetector", {}),
}


def saved(kind: str, folder: Path) -> torch.nn.Module:
    """Random weights of the real network, in its file."""
    _, name, build, _, _ = CASES[kind]
    state = torch.get_rng_state()
    torch.manual_seed(1)
    model = build().eval()
    torch.set_rng_state(state)
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    if kind == "openpose":  # its file lacks the first part of the names
        weights = {key.partition(".")[2]: value for key, value in weights.items()}
    (folder / name).mkdir(parents=True)
    save_file(weights, folder / name / "model.safetensors")
    return model


def clip(count: int, height: int, width: int) -> torch.Tensor:
    """Smooth colours in whole levels of 255."""
    rough = torch.rand(count, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(0))
    grown = torch.nn.functional.interpolate(rough, (height, width), mode="bicubic").clamp(0, 1)
    return (grown * 255).round() / 255


@pytest.fixture(params=list(CASES))
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "openpose" and find_spec("scipy") is None:
        pytest.skip("OpenPose's body needs scipy")
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path))
    aux_load._filled.cache_clear()
    return request.param


def test_contract(kind: str, tmp_path: Path) -> None:
    """Exact size, range, the same each time; no torchvision, nothing global changed."""
    control = CASES[kind][0]
    saved(kind, tmp_path)
    frames = clip(2, 97, 131)
    before, state = frames.clone(), torch.get_rng_state()
    threads, had_torchvision = torch.get_num_threads(), "torchvision" in sys.modules
    made = control(frames)
    assert made.shape == frames.shape and made.dtype == frames.dtype and made.isfinite().all()
    assert float(made.min()) >= 0 and float(made.max()) <= 1
    assert torch.equal(frames, before) and torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads and ("torchvision" in sys.modules) == had_torchvision
    assert torch.equal(torch.cat([control(frames[:1]), control(frames[1:])]), made)


def test_it_is_what_the_detector_makes(kind: str, tmp_path: Path) -> None:
    """At a size that neither resizes, the difference is the detector's rounding to bytes."""
    control, _, _, place, told = CASES[kind]
    part, _, name = place.partition(":")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            detector: Any = getattr(importlib.import_module(f"controlnet_aux.{part}"), name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"controlnet_aux as a whole cannot be imported: {error}")
    model = saved(kind, tmp_path)
    frames = clip(1, 512, 512)
    image = (frames[0] * 255).round().byte().permute(1, 2, 0).numpy()
    if kind == "openpose":
        body: Any = importlib.import_module("controlnet_aux.open_pose.body").Body
        own = body.__new__(body)
        own.model = model
        run: Any = detector(own)
    else:
        run = detector(model, None) if kind == "lineart" else detector(model)
    theirs = torch.from_numpy(run(image, output_type="np", **told).copy()).permute(2, 0, 1) / 255
    difference = (control(frames)[0] - theirs).abs()
    # Bytes cut off, and the lines of an 8-bit picture resized in bytes.
    assert float(difference.mean()) < 0.004
    assert float((difference > 2.5 / 255).float().mean()) < 0.01


def test_straight_lines_are_read_as_controlnet_aux_reads_them() -> None:
    """Maps full of lines, through both: the same ends, in the same order."""
    scale = torch.tensor([4.0, *[20.0] * 4, *[1.0] * 4]).view(1, 9, 1, 1)
    maps = torch.randn(1, 9, 64, 96, generator=torch.Generator().manual_seed(0)) * scale

    class Given(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, _: torch.Tensor) -> torch.Tensor:
            return maps

    read: Any = aux_load.import_part("mlsd.utils").pred_lines
    image = clip(1, 128, 192)[0].permute(1, 2, 0).numpy()
    theirs = torch.from_numpy(read(image, Given(), [128, 192], 0.1, 0.1)).float()
    own = lines.straight_lines(maps, 0.1, 0.1)[0]
    assert len(own) > 50
    torch.testing.assert_close(own, theirs, atol=1e-3, rtol=0)
