"""RAFT around stand-in networks: sizes and ranges as torchvision's takes them, and what is told where it cannot run."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from vedit.errors import ModelError
from vedit.flow.estimate import estimate_flow
from vedit.flow.raft import VARIABLE, load_raft


class Network(torch.nn.Module):
    """Says that everything moves by its gain to the right; keeps what it was fed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.register_parameter(name, torch.nn.Parameter(torch.zeros(1)))
        self.name = name
        self.fed: list[torch.Tensor] = []

    def forward(self, first: torch.Tensor, second: torch.Tensor, *, num_flow_updates: int) -> list[torch.Tensor]:
        self.fed += [first, second]
        sign = 1 if second.mean() >= first.mean() else -1
        flow = torch.zeros(1, 2, *first.shape[-2:])
        flow[:, 0] = sign * self.get_parameter(self.name)
        return [flow * 0] * (num_flow_updates - 1) + [flow]


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> list[Network]:
    """torchvision's optical flow, of stand-ins; the networks that were made, in order."""
    made: list[Network] = []

    def make(name: str) -> object:
        def build(*, weights: None) -> Network:
            made.append(Network(name))
            return made[-1]

        return build

    flows = {f"raft_{size}": make(size) for size in ("large", "small")}
    models = ModuleType("torchvision.models")
    vars(models)["optical_flow"] = SimpleNamespace(**flows)
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    return made


def test_flow_of_the_network_in_the_frames_own_pixels(
    networks: list[Network], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file({"small": torch.tensor([3.0])}, tmp_path / "model.safetensors")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    frames = torch.stack([torch.zeros(3, 150, 201), torch.ones(3, 150, 201)])
    flow = estimate_flow(frames, backend="raft")
    assert flow.forward.shape == (1, 2, 150, 201)
    assert (flow.forward[:, 0] == 3).all() and (flow.forward[:, 1] == 0).all() and (flow.backward[:, 0] == -3).all()
    assert flow.forward_occlusion[..., -3:].all() and not flow.forward_occlusion[..., :-3].any()
    fed = networks[-1].fed[0]
    assert fed.shape == (1, 3, 152, 208) and fed.min() == -1
    assert networks[-1].fed[1].max() == 1
    half = estimate_flow(frames, backend="raft", short_side=75)
    assert half.forward.shape == (1, 2, 150, 201)
    assert torch.allclose(half.forward[:, 0], torch.tensor(3 * 201 / 100), atol=1e-3)  # 100.5 columns are 100
    assert networks[-1].fed[0].shape == (1, 3, 128, 128)


def test_what_is_told(networks: list[Network], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ModelError, match=f"set {VARIABLE}"):
        load_raft()
    (tmp_path / "raft.pth").write_bytes(b"a pickle")
    with pytest.raises(ModelError, match="no safetensors"):
        load_raft(tmp_path / "raft.pth")
    (tmp_path / "raft.safetensors").write_bytes(b"not one either")
    with pytest.raises(ModelError, match="cannot be read"):
        load_raft(tmp_path / "raft.safetensors")
    save_file({"another": torch.zeros(1)}, tmp_path / "raft.safetensors")
    with pytest.raises(ModelError, match="neither raft_large nor raft_small"):
        load_raft(tmp_path / "raft.safetensors")
    save_file({"large": torch.zeros(7)}, tmp_path / "raft.safetensors")
    with pytest.raises(ModelError, match="does not fit"):
        load_raft(tmp_path / "raft.safetensors")


def test_torchvision_that_is_absent_or_broken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ModelError, match="RAFT needs torchvision") as told:
        estimate_flow(torch.rand(2, 3, 64, 64), backend="raft")
    assert "\n" not in str(told.value) and "doctor" in str(told.value)
