"""Pulls that are cut, over a hub on 127.0.0.1: what came is gone on from, what changed begins anew."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import save_file

from tests.models.hub_server import COMMIT, Hub, serving
from vedit.errors import ModelError
from vedit.weights import hub as pulling
from vedit.weights import large_files
from vedit.weights import pulled as records
from vedit.weights.hub import OFFLINE_VARIABLES, pull_files
from vedit.weights.hub_cache import snapshots_of
from vedit.weights.large_files import PARTIAL, parts
from vedit.weights.pulled import pulled
from vedit.weights.store import digest

REPO = "house/nets"
SIZE = 400_080


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    """A repository with one large file and a config."""
    for variable in (*OFFLINE_VARIABLES, "VEDIT_MODEL_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(large_files, "WAITS", (0.0, 0.0))
    (tmp_path / "hub" / REPO).mkdir(parents=True)
    (tmp_path / "hub" / REPO / "config.json").write_text("{}", "utf-8")
    publish(tmp_path / "hub", seed=0)
    with serving(tmp_path / "hub") as served:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", served.url)
        template = f"{served.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield served


def publish(folder: Path, seed: int) -> None:
    values = torch.randn(100_000, generator=torch.Generator().manual_seed(seed))
    save_file({"w": values}, folder / REPO / "net.safetensors")


def pull(**told: Any) -> Path:
    return pull_files("nets", REPO, ["*.safetensors", "*.json"], **told)


def as_published(hub: Hub, folder: Path) -> bool:
    return digest(folder / "net.safetensors") == digest(hub.folder / REPO / "net.safetensors")


def large_requests(hub: Hub) -> list[str]:
    """The ranges that were asked of the large file: of the config, all is asked once."""
    return [told for told in hub.ranges if told] or hub.ranges


def test_what_is_cut_goes_on_in_the_same_pull(hub: Hub) -> None:
    hub.cuts, hub.codes = [150_000, 100_000], [503]
    folder = pull()
    assert as_published(hub, folder) and not parts()
    assert large_requests(hub) == ["bytes=150000-", "bytes=250000-"]


def test_what_a_pull_that_ended_has_left_is_gone_on_from(hub: Hub) -> None:
    hub.cuts = [150_000, 0, 0]
    with pytest.raises(ModelError, match=r"net\.safetensors cannot be fetched from house/nets: ") as told:
        pull()
    assert "run it again, it goes on where it stopped: 0.1 of 0.4 MB of net.safetensors are kept" in str(told.value)
    assert "\n" not in str(told.value) and pulled() == ()
    assert list(parts().values()) == [150_000]
    hub.ranges.clear()
    folder = pull()
    assert as_published(hub, folder) and not parts()
    assert large_requests(hub) == ["bytes=150000-"]
    assert pulled()[0].fetched == ("config.json", "net.safetensors")


def test_a_process_that_ended_is_gone_on_from(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> bool:
        raise KeyboardInterrupt

    hub.cuts = [200_000]
    with monkeypatch.context() as patched:
        patched.setattr(large_files, "_passes", stop)
        with pytest.raises(KeyboardInterrupt):
            pull()
    assert list(parts().values()) == [200_000]
    hub.ranges.clear()
    assert as_published(hub, pull()) and large_requests(hub) == ["bytes=200000-"]


def test_a_file_that_has_changed_begins_anew(hub: Hub) -> None:
    hub.cuts = [150_000, 0, 0]
    with pytest.raises(ModelError):
        pull()
    publish(hub.folder, seed=1)
    hub.ranges.clear()
    folder = pull()
    assert as_published(hub, folder) and not parts(), "what came of the other one is of no use"
    assert not any(hub.ranges)


def test_what_came_of_other_files_goes_with_the_newest_commit(hub: Hub) -> None:
    blobs = snapshots_of(REPO).parent / "blobs"
    other, fetched = (blobs / f"{digit * 64}{PARTIAL}" for digit in "01")
    lock = blobs.parents[1] / ".locks" / blobs.parent.name / f"{'1' * 64}.lock"
    for folder in (blobs, lock.parent):
        folder.mkdir(parents=True)
    other.touch()
    fetched.touch()
    pull(revision=COMMIT)
    assert other.exists(), "a commit that is asked for says nothing of the others"
    with FileLock(str(lock)):
        pull()
    assert not other.exists() and fetched.exists(), "another process is fetching the second"
    pull()
    assert not parts()


def test_what_is_gone_on_from_is_hashed_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.cuts = [150_000, 0, 0]
    with pytest.raises(ModelError):
        pull()
    known = digest(hub.folder / REPO / "net.safetensors")
    hashed: list[str] = []

    def counting(path: Path) -> str:
        hashed.append(path.name)
        return digest(path)

    for module in (large_files, records, pulling):
        monkeypatch.setattr(module, "digest", counting)
    folder = pull(sha256={"net.safetensors": known})
    assert sorted(hashed) == sorted(["config.json", f"{known}{PARTIAL}"])
    (one,) = pulled()
    assert one.files["net.safetensors"]["sha256"] == known and as_published(hub, folder)
    hashed.clear()
    pull(sha256={"net.safetensors": known})
    assert sorted(hashed) == ["config.json", "net.safetensors"], "what was there may have changed since"


def test_what_came_is_held_against_what_is_known_of_it(hub: Hub) -> None:
    with pytest.raises(ModelError, match=r"net\.safetensors is not the file that is known as nets"):
        pull(sha256={"net.safetensors": "0" * 64})
    assert not (snapshots_of(REPO) / COMMIT / "net.safetensors").exists()


@pytest.mark.parametrize("kept", [150_000, SIZE + 7])
def test_a_beginning_that_is_damaged_begins_anew(hub: Hub, kept: int) -> None:
    blobs = snapshots_of(REPO).parent / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{digest(hub.folder / REPO / 'net.safetensors')}{PARTIAL}").write_bytes(bytes(kept))
    folder = pull()
    assert as_published(hub, folder) and not parts()


def test_a_server_without_ranges_sends_all_of_it(hub: Hub) -> None:
    hub.cuts, hub.ranged = [150_000], False
    assert as_published(hub, pull())
    assert large_requests(hub) == ["bytes=150000-"]


def test_what_is_refused_is_not_asked_for_again(hub: Hub) -> None:
    hub.codes = [403, 403]
    with pytest.raises(ModelError, match="403"):
        pull()
    assert hub.codes == [403]


def test_forced_pulls_fetch_again_and_go_on_too(hub: Hub) -> None:
    folder = pull()
    blob = (folder / "net.safetensors").resolve()
    blob.write_bytes(bytes(SIZE))
    hub.cuts = [150_000, 0, 0]
    with pytest.raises(ModelError):
        pull(force=True)
    hub.ranges.clear()
    assert as_published(hub, pull(force=True)) and "bytes=150000-" in hub.ranges
    assert (folder / "config.json").read_text("utf-8") == "{}"


def test_two_pulls_of_one_file_do_not_meet(hub: Hub) -> None:
    sha256 = digest(hub.folder / REPO / "net.safetensors")
    lock = snapshots_of(REPO).parents[1] / ".locks" / snapshots_of(REPO).parent.name / f"{sha256}.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(str(lock)), pytest.raises(ModelError, match="is being fetched by another process"):
        pull()


def test_a_disk_without_space_is_said_before(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())  # pyright: ignore
    with pytest.raises(ModelError, match=r"needs 0\.0 GB, and 0\.0 GB are free at .*; free some space"):
        pull()
    assert not any(hub.ranges)


def test_a_folder_of_ones_own_is_gone_on_into(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vedit.registry.weights import WeightsInfo

    entry = WeightsInfo(
        name="nets", repo=REPO, revision=None, size_bytes=1, licence="MIT", commercial=True, summary="a test's"
    )
    monkeypatch.setattr(pulling, "info", lambda _: entry)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(pulling, "find", lambda _: None)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path / "own"))
    hub.cuts = [150_000, 0, 0]
    with pytest.raises(ModelError):
        pulling.pull("nets")
    (part,) = parts()
    assert part.stat().st_size == 150_000
    part.with_name(f"{'0' * 64}{PARTIAL}").touch()  # of a file that the repository has no longer
    hub.ranges.clear()
    folder = pulling.pull("nets")
    assert folder == tmp_path / "own" / "nets" and as_published(hub, folder) and not parts()
    assert large_requests(hub) == ["bytes=150000-"] and pulled()[0].revision == COMMIT
