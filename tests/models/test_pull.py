"""`vedit models`: list, info, where, and pull by name, with the hub's client replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vedit.cli.models import models_group
from vedit.errors import ModelError
from vedit.models import pull as pulling
from vedit.models.source import SD15
from vedit.weights import hub
from vedit.weights import store as weights

NAME = "depth-anything-v2-small"


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in (weights.FOLDER_VARIABLE, *hub.OFFLINE_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def vedit_models(*words: str) -> object:
    return models_group.main(list(words), standalone_mode=False)


def test_list_shows_models_and_weights(capsys: pytest.CaptureFixture[str]) -> None:
    vedit_models("list")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("embedded ") and "present" in lines[0]
    [line] = [line for line in lines if line.startswith(NAME)]
    assert line.split()[1:5] == ["absent", "99", "MB", "Apache-2.0"]
    assert any("(no commercial use)" in line for line in lines)
    vedit_models("list", "--json")
    told = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in told["weights"]] == [entry.name for entry in weights.known_weights()]
    [entry] = [entry for entry in told["weights"] if entry["name"] == NAME]
    assert entry["present"] is False and entry["folder"] is None and len(entry["revision"]) == 40


def test_info_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "models" / NAME
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "models"))
    vedit_models("info", NAME)
    text = capsys.readouterr().out
    for part in ("Apache-2.0", "depth-anything/Depth-Anything-V2-Small-hf", str(folder), "commercial  yes"):
        assert part in text
    vedit_models("where", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["present"][NAME] == str(folder) and "embedded" in told["present"]
    assert told[weights.FOLDER_VARIABLE] == str(tmp_path / "models")


def test_a_dry_run_says_size_and_licence_and_fetches_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it fetched")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    vedit_models("pull", NAME, "sd15", "--dry-run", "--json")
    told = capsys.readouterr()
    assert f"{NAME} (99 MB, Apache-2.0)" in told.err and "sd15 (" in told.err and "OpenRAIL" in told.err
    pulled = json.loads(told.out)["pulled"]
    assert [entry["name"] for entry in pulled] == [NAME, "sd15"]
    assert all(entry["folder"] is None and not entry["present"] for entry in pulled)
    assert pulled[1]["size_bytes"] > 4_000_000_000


def test_pull_fetches_after_all_names_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched: list[str] = []

    def pull(name: str, *, force: bool) -> Path:
        fetched.append(name)
        return tmp_path / name

    monkeypatch.setattr(hub, "pull", pull)
    with pytest.raises(ModelError, match="did you mean 'dpt-large'"):
        vedit_models("pull", NAME, "dpt-lage")
    assert not fetched
    vedit_models("pull", NAME, "dpt-large", NAME)
    assert fetched == [NAME, "dpt-large"]
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / NAME), str(tmp_path / "dpt-large")]


def test_what_cannot_be_pulled() -> None:
    with pytest.raises(ModelError, match="ships with vedit"):
        pulling.plan("embedded")
    with pytest.raises(ModelError, match="pickle"):
        pulling.plan(next(entry.name for entry in weights.known_weights() if entry.pickle))


def test_a_model_is_pulled_by_the_files_that_loading_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, list[str]] = {}

    def download(repo: str, *, allow_patterns: list[str], **_: Any) -> str:
        asked.setdefault(repo, []).extend(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr(hub, "_told", lambda *_: OSError("nothing is told"))  # pyright: ignore[reportUnknownLambdaType]
    assert pulling.pull("sd15") == tmp_path
    assert "unet/diffusion_pytorch_model.safetensors" in asked[SD15.base]
    assert not [name for name in asked[SD15.base] if name.endswith((".bin", ".ckpt")) or name == "*"]
    files = {f"{repo}/{file}" for repo, names in asked.items() if repo != SD15.base for file in names}
    assert files == set(SD15.controlnets.values())
