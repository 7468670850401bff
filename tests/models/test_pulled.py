"""`vedit models pull`, `verify` and `remove` with the hub's own client, over a hub on 127.0.0.1."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import click
import pytest
import torch
from safetensors.torch import save_file

from tests.models.hub_server import COMMIT, Hub, serving
from vedit.cli.models import models_group
from vedit.errors import ModelError
from vedit.models.pull import pull
from vedit.registry import catalogue as listing
from vedit.weights import large_files
from vedit.weights.hub import OFFLINE_VARIABLES
from vedit.weights.hub_cache import snapshots_of
from vedit.weights.pulled import pulled

ENTRY = """
[[model]]
name = "{name}"
part = "controlnet"
summary = "a test's"
repo = "house/nets"
file = "{name}.safetensors"
files = ["{name}.safetensors", "shared.json"]
size_bytes = 20_000
licence = "of the house"
{more}
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    """Two networks and a config in one repository, each listed by a name of its own."""
    for variable in (*OFFLINE_VARIABLES, "VEDIT_MODEL_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    nets = tmp_path / "hub" / "house" / "nets"
    nets.mkdir(parents=True)
    (nets / "shared.json").write_text("{}", "utf-8")
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        save_file({"w": torch.randn(30_000)}, nets / f"{name}.safetensors")
    (tmp_path / "house.toml").write_text(
        ENTRY.format(name="one", more="") + ENTRY.format(name="two", more="commercial = false"), "utf-8"
    )
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "house.toml"))
    with serving(tmp_path / "hub") as served:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", served.url)
        template = f"{served.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield served


def vedit_models(*words: str) -> object:
    return models_group.main(list(words), standalone_mode=False)


def test_what_came_is_recorded_and_verified(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    vedit_models("pull", "one")
    file = snapshots_of("house/nets") / COMMIT / "one.safetensors"
    assert capsys.readouterr().out.strip() == str(file)
    (found,) = pulled()
    assert (found.name, found.repo, found.revision) == ("one", "house/nets", COMMIT)
    assert set(found.fetched) == {"one.safetensors", "shared.json"}
    assert vedit_models("verify") == 0
    assert "one: 2 files, 120 kB, ok" in capsys.readouterr().out
    blob = file.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    assert vedit_models("verify", "one", "--json") == 1
    told = capsys.readouterr()
    assert "run: vedit models pull one --force" in told.err
    assert json.loads(told.out)["verified"][0]["altered"] == {
        "one.safetensors": "is another file (its SHA-256 differs)"
    }
    blob.write_bytes(b"short")
    assert vedit_models("verify") == 1
    assert "has 5 of 120" in capsys.readouterr().out
    vedit_models("pull", "one", "--force")
    assert vedit_models("verify") == 0


def test_what_the_hub_did_not_say_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.models.hub_server._etag", lambda *_: "0" * 64)  # pyright: ignore
    hub.large = 1
    with pytest.raises(ModelError, match=r"did not come as the hub has it \(its SHA-256 differs\)"):
        vedit_models("pull", "one")
    assert pulled() == ()


def test_remove_takes_away_what_pull_brought_and_nothing_else(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    vedit_models("pull", "one")
    vedit_models("pull", "two", "--accept-licence")
    folder = snapshots_of("house/nets") / COMMIT
    theirs = folder / "of another program.safetensors"
    theirs.touch()
    with pytest.raises(ModelError, match="nothing is removed unasked; add --yes"):
        vedit_models("remove", "one")
    with pytest.raises(ModelError, match="nothing was pulled as 'onne'; did you mean 'one'"):
        vedit_models("remove", "onne")
    vedit_models("remove", "one", "--yes")
    assert {path.name for path in folder.iterdir()} == {
        "two.safetensors",
        "shared.json",
        theirs.name,
        "vedit.json",
    }, "what the other name needs stays"
    assert len(list((snapshots_of("house/nets").parent / "blobs").iterdir())) == 2
    vedit_models("remove", "two", "--yes")
    assert [path.name for path in folder.iterdir()] == [theirs.name]
    theirs.unlink()
    vedit_models("pull", "one")
    vedit_models("remove", "one", "--yes")
    assert not snapshots_of("house/nets").parent.exists()


def test_a_licence_that_forbids_something_is_asked_for_once(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match=r"the licence of two \(of the house\) says: no commercial use; read it, and"):
        vedit_models("pull", "one", "two")
    assert pulled() == (), "of several, none is fetched before all licences are accepted"
    vedit_models("pull", "two", "--dry-run")
    vedit_models("pull", "two", "--accept-licence")
    vedit_models("remove", "two", "--yes")
    vedit_models("pull", "two")
    assert [one.name for one in pulled()] == ["two"]


def test_a_licence_that_cannot_be_written_down_is_asked_for_again(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "closed"))
    vedit_models("pull", "two", "--accept-licence")
    vedit_models("remove", "two", "--yes")
    with pytest.raises(ModelError, match="says: no commercial use"):
        vedit_models("pull", "two")


def test_an_id_does_not_get_round_a_listed_licence(hub: Hub) -> None:
    name = "House/nets/two.safetensors"
    with pytest.raises(
        ModelError, match=rf"the licence of {name} \(of the house\) says: no commercial use; read it, and"
    ):
        vedit_models("pull", name)
    assert not hub.asked
    vedit_models("pull", "two", "--accept-licence")
    with pytest.raises(ModelError, match="cannot be fetched"):  # this hub minds the case; it is let through
        vedit_models("pull", name)
    vedit_models("pull", "house/nets/two.safetensors")


def test_a_pull_that_was_cut_is_not_there_yet(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The small files come first: that they are there says nothing of the large ones."""
    monkeypatch.setattr(large_files, "WAITS", ())
    entry = ENTRY.replace('file = "{name}.safetensors"\n', "").replace('"shared.json"', '"config.json"')
    (tmp_path / "house.toml").write_text(entry.format(name="one", more=""), "utf-8")
    (tmp_path / "hub" / "house" / "nets" / "config.json").write_text("{}", "utf-8")
    there = snapshots_of("house/nets") / COMMIT
    there.mkdir(parents=True)
    (there / "config.json").write_text("{}", "utf-8")
    (there.parents[1] / "refs").mkdir()
    (there.parents[1] / "refs" / "main").write_text(COMMIT, "utf-8")
    hub.cuts = [10_000]
    with pytest.raises(ModelError, match="goes on where it stopped"):
        vedit_models("pull", "one")
    vedit_models("list")
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("one ")] == ["absent"]
    with pytest.raises(ModelError, match="one is not on this machine"):
        vedit_models("pull", "one", "--offline")
    hub.ranges.clear()
    vedit_models("pull", "one")
    assert "bytes=10000-" in hub.ranges and vedit_models("verify") == 0
    capsys.readouterr()
    vedit_models("list")
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("one ")] == ["present"]


def test_offline_touches_no_network_for_ids_either(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    vedit_models("pull", "house/nets/one.safetensors")
    asked = list(hub.asked)
    vedit_models("pull", "house/nets/one.safetensors", "--offline")
    assert hub.asked == asked
    with pytest.raises(ModelError, match="is not on this machine, and offline forbids fetching it"):
        vedit_models("pull", "house/nets/two.safetensors", "--offline")
    with pytest.raises(click.UsageError, match="--offline fetches nothing"):
        vedit_models("pull", "one", "--offline", "--force")
    with pytest.raises(ModelError, match=r"two.safetensors would be fetched again, and offline forbids that"):
        pull("house/nets/two.safetensors", force=True, offline=True)
    assert hub.asked == asked


def test_an_id_of_the_hub_says_what_it_is_once_it_is_here(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    name = "house/nets/one.safetensors"
    with pytest.raises(ModelError, match=f"nor such a file; vedit models pull {name}, or known: "):
        vedit_models("info", name)
    vedit_models("pull", name)
    vedit_models("info", name)
    assert "tensors     1" in capsys.readouterr().out
    with pytest.raises(ModelError, match="neither a model nor weights named ''"):
        vedit_models("info", "")


def test_offline_says_where_what_is_there_lies(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="one is not on this machine, and offline forbids fetching it"):
        vedit_models("pull", "one", "--offline")
    vedit_models("pull", "one")
    before = list(hub.ranges)
    capsys.readouterr()
    vedit_models("pull", "one", "--offline")
    assert capsys.readouterr().out.strip().endswith("one.safetensors")
    assert hub.ranges == before
