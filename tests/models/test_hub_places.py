"""Models of the hub: taken from its cache, fetched by `vedit models pull` alone, and never taken for paths."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.hf_api import ModelInfo

from tests.support.clips import two_shots
from vedit import api
from vedit.cli import main
from vedit.edits.confined_paths import NamedFiles
from vedit.errors import InputError, ModelError
from vedit.models import pull as pulling
from vedit.models.check import located
from vedit.models.digests import identity
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.weights.hub import OFFLINE_VARIABLES
from vedit.weights.hub_cache import hub_place, snapshots_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEVER_PULLED = "somebody/something"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the hub, which is not in reach: whatever tries to get at it fails the test, caught or not."""
    for variable in OFFLINE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    contacts: list[str] = []

    def contact(*words: object, **_: object) -> Any:
        contacts.append(repr(words)[:200])
        raise OSError("the hub is out of reach")

    for name in ("getaddrinfo", "create_connection", "gethostbyname"):
        monkeypatch.setattr(socket, name, contact)
    monkeypatch.setattr(socket.socket, "connect", contact)
    for name in ("snapshot_download", "hf_hub_download", "HfApi.model_info", "HfApi.repo_info"):
        monkeypatch.setattr(f"huggingface_hub.{name}", contact)
    yield tmp_path / "hub"
    assert contacts == []


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("models") / "tiny")


def into_cache(folder: Path, repo: str, *, revision: str = "main", commit: str = COMMIT) -> Path:
    """A folder as the hub's client keeps it: files by their digests, and links to them in a snapshot."""
    snapshot = snapshots_of(repo) / commit
    blobs, refs = snapshot.parents[1] / "blobs", snapshot.parents[1] / "refs"
    blobs.mkdir(parents=True)
    refs.mkdir()
    (refs / revision).write_text(commit, "utf-8")
    for number, file in enumerate(path for path in sorted(folder.rglob("*")) if path.is_file()):
        link = snapshot / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blobs / str(number))
        link.symlink_to(blobs / str(number))
    return snapshot


@pytest.mark.parametrize("text", ["owner/name", "owner/name@v1.0", "o/n_x-1.5", "owner/name/unet/w.safetensors"])
def test_what_is_an_id(text: str) -> None:
    assert hub_place(text) is not None


PATHS = (
    *("./x", "../x", "-x/y", "x/..", "x/.", "./x/y", "x/../y", "/x/y", "~/x", "x/", "/x", "x//y", "x", "", ".x/y"),
    *("x./y", "x/-y", "x/y-", "a..b/c", "x\\y/z", "x/y@../z", "x/y@..", "x/y/z", "x/y.ckpt", "x/y.safetensors"),
    *("x/y/../w.safetensors", "x /y", "x/y\n", "\u00e9/y", "x/y:z", "https://hub/x/y"),
)


@pytest.mark.parametrize("text", PATHS)
def test_a_path_is_never_an_id(text: str) -> None:
    assert hub_place(text) is None
    with pytest.raises(ModelError, match=r"there is no|is a pickle"):
        resolve(text)
    with pytest.raises(ModelError, match=r"there is no|is a pickle"):
        resolve("embedded", {"depth": text})


def test_what_leads_into_a_folder_that_is_here_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(ModelError, match="there is no model 'models/tinny'"):
        resolve("models/tinny")
    with pytest.raises(ModelError, match="there is no ControlNet 'models/dpeth'"):
        resolve("embedded", {"depth": "models/dpeth"})
    with pytest.raises(ModelError, match=r"there is no file models/net/depth\.safetensors"):
        resolve("embedded", {"depth": "models/net/depth.safetensors"})


def test_what_is_in_the_cache_is_loaded(tiny: Path) -> None:
    into_cache(tiny, "owner/name")
    into_cache(tiny / "controlnet", "owner/net", revision="v1")
    model = load(resolve("owner/name", {"depth": "owner/net@v1"}), controls=("tile", "depth"))
    assert model.control_kinds == ("tile", "depth")
    assert resolve("owner/name").traits.size_multiple == resolve(str(tiny)).traits.size_multiple == 16
    told = identity(resolve("owner/name", {"depth": "owner/net@v1"}).source, kinds=("depth",))
    assert told == {"model": COMMIT, "depth": COMMIT}
    assert load(resolve(f"owner/name@{COMMIT}")).name == f"owner/name@{COMMIT}"
    with pytest.raises(ModelError, match="owner/net is not on this machine"):
        load(resolve("owner/name", {"depth": "owner/net"}), controls=("depth",))


def test_a_snapshot_that_is_not_whole_says_how_it_becomes_so(tiny: Path) -> None:
    snapshot = into_cache(tiny, "owner/name")
    (snapshot / "unet" / "config.json").unlink()
    with pytest.raises(ModelError, match=r"unet/config\.json is missing; run: vedit models pull owner/name --force"):
        load(resolve("owner/name"))


@pytest.mark.parametrize("more", [(), ("VEDIT_OFFLINE",), ("HF_HUB_OFFLINE",)], ids=str)
def test_no_command_fetches_what_it_or_a_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    for variable in more:
        monkeypatch.setenv(variable, "1")
    monkeypatch.chdir(tmp_path)
    clip = two_shots(tmp_path / "in.mov")
    assert main(["plan", str(clip), "-p", "night", "--no-thumbnails"], standalone_mode=False) == 0
    plan = tmp_path / "in.plan.toml"
    plan.write_text(f'model = "{NEVER_PULLED}"\n' + plan.read_text("utf-8"), "utf-8")
    asked = ["restyle", str(clip), "-p", "night"]
    branch = [*asked, "--control", "depth", "--from", f"depth={clip}", "--controlnet", f"depth={NEVER_PULLED}"]
    capsys.readouterr()
    for words in (["edit", str(plan)], [*asked, "--model", NEVER_PULLED], branch):
        for only in ([], ["--dry-run"]):
            assert main([*words, *only], standalone_mode=False) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert f"{NEVER_PULLED} is not on this machine: there is no such folder or file" in line
            assert line.endswith(f"or fetch it with: vedit models pull {NEVER_PULLED}")
    with pytest.raises(ModelError, match="is not on this machine"):
        load(resolve(NEVER_PULLED))
    with pytest.raises(ModelError, match=r"sd15 .* is not on this machine: .* vedit models pull sd15"):
        api.restyle(clip, prompt="night", model="sd15")
    assert {path.name for path in tmp_path.iterdir()} == {"in.mov", "in.plan.toml"}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"ip_adapter": "ip-adapter-sd15"}, "ip-adapter-sd15"),
        ({"ip_adapter": "h94/IP-Adapter/models/ip-adapter_sd15.safetensors"}, "ip-adapter-sd15"),
        ({"motion_adapter": "animatediff-v3"}, "animatediff-v3"),
        ({"controlnets": {"tile": "controlnet-tile-sd15"}}, "controlnet-tile-sd15"),
        ({"controlnets": {"tile": "owner/branch"}}, "owner/branch"),
    ],
)
def test_what_is_not_here_is_pulled_by_its_listed_name(tiny: Path, settings: Any, name: str) -> None:
    """By its place the file of an IP-Adapter would come without the image encoder that it needs."""
    model = resolve(str(tiny), settings.pop("controlnets", None), **settings)
    with pytest.raises(ModelError, match=f"is not on this machine: .*: vedit models pull {name}$"):
        located(model, controls=("tile",))


@pytest.mark.parametrize("variable", OFFLINE_VARIABLES)
def test_offline_is_offline_for_pull_too(tiny: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ModelError, match=f"{NEVER_PULLED} cannot be fetched: {variable} is set"):
        pulling.pull(NEVER_PULLED)
    snapshot = into_cache(tiny, "owner/name")
    assert pulling.pull("owner/name") == snapshot


def test_an_id_is_pulled_as_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None, bool]] = []

    def download(repo: str, *, allow_patterns: list[str], revision: str | None = None, **more: Any) -> str:
        assert not [name for name in allow_patterns if name.endswith((".bin", ".ckpt", "/*", "**"))]
        asked.append((repo, revision, more.get("ignore_patterns") is not None))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    told = ModelInfo(id="owner/name", sha=COMMIT, siblings=[])
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: told)  # pyright: ignore[reportUnknownLambdaType]
    assert pulling.pull("owner/name@v2") == tmp_path
    assert asked == [("owner/name", "v2", True), ("owner/name", "v2", False)], "without the usual form, the other one"
    asked.clear()
    assert pulling.pull("owner/name/nets/depth.safetensors") == tmp_path / "nets" / "depth.safetensors"
    assert asked == [("owner/name", None, False)]
    with pytest.raises(ModelError, match=r"nothing named '\./x' to fetch"):
        pulling.pull("./x")


@pytest.mark.parametrize("text", ["./x", "../x", "/x/y", "-x/y", "x/y/z", "m.safetensors"])
def test_a_path_in_a_plan_counts_from_its_folder(tmp_path: Path, text: str) -> None:
    files = NamedFiles(path=tmp_path / "job" / "plan.toml")
    (tmp_path / "job").mkdir()
    if text.startswith(("..", "/")):
        with pytest.raises(InputError, match="outside its folder"):
            files.model(text)
    else:
        assert Path(files.model(text)) == tmp_path / "job" / text
    assert files.model("owner/name") == "owner/name"
