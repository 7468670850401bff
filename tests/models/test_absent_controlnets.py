"""Control branches that cannot be there are told before anything is rendered, and as a render would tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.layouts import write_sparse
from tests.support.clips import two_shots
from vedit.cli import main
from vedit.errors import ModelError
from vedit.models.resolve import resolve


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nope", "there is no ControlNet 'nope'; give a folder"),
        ("/nowhere/at/all", "there is no ControlNet"),
        ("nope.safetensors", "there is no file nope.safetensors"),
        ("./a/b/c.safetensors", "there is no file ./a/b/c.safetensors"),
        ("{folder}", "is no folder of a ControlNet: it has no config.json"),
        ("{folder}/net.ckpt", "is a pickle file"),
    ],
)
def test_what_cannot_be_there_is_refused(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        resolve("embedded", {"depth": place.format(folder=tmp_path)})


def test_what_may_be_there_is_not(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"_class_name": "ControlNetModel", "block_out_channels": [8]}', "utf-8")
    shapes = {"control_model.zero_convs.0.0.weight": (8, 8, 1, 1)}
    net = write_sparse(tmp_path / "net.safetensors", shapes)
    write_sparse(tmp_path / "diffusion_pytorch_model.safetensors", shapes)
    for place in (str(tmp_path), str(net), "owner/name@main", "owner/name/net.safetensors"):
        assert resolve("embedded", {"depth": place}).source.controlnets == {"depth": place}


def test_a_dry_run_ends_as_the_run_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = two_shots(tmp_path / "in.mov")
    words = ["restyle", str(clip), "--prompt", "night", "--control", "depth", "--controlnet", "depth=nope", "-q"]
    said: list[str] = []
    for more in (["--dry-run"], []):
        assert main([*words, *more], standalone_mode=False) == 2
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert said[0].startswith(
        "vedit: error: there is no ControlNet 'nope'; give a folder, a .safetensors file, or a hub"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.mov"]
