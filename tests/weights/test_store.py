"""Weights: where they are looked for, what is told when they are absent or wrong, and what pulling checks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vedit.errors import ModelError
from vedit.registry.preprocessors import preprocessors
from vedit.registry.weights import WeightsInfo
from vedit.weights import hub
from vedit.weights import store as weights
from vedit.weights.store import WEIGHTS

NAME = "depth-anything-v2-small"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No weights but those a test puts here: `models/` for VEDIT_MODEL_DIR (unset), `hub/` for the hub's cache."""
    for variable in (weights.FOLDER_VARIABLE, *hub.OFFLINE_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def lay(folder: Path, value: float = 1.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": torch.full((3,), value)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}", "utf-8")
    return folder


def snapshot(places: Path, entry: WeightsInfo, commit: str, value: float = 1.0) -> Path:
    """Weights as the hub's cache holds them."""
    cached = places / "hub" / f"models--{entry.repo.replace('/', '--')}"
    (cached / "refs").mkdir(parents=True, exist_ok=True)
    (cached / "refs" / "main").write_text(commit, "utf-8")
    return lay(cached / "snapshots" / commit, value)


class FakeHub:
    """The hub's client: `snapshot_download` lays the files down, `HfApi` tells the newest commit."""

    def __init__(self, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places, self.asked = places, list[dict[str, Any]]()
        self.value = 1.0
        monkeypatch.setattr("huggingface_hub.snapshot_download", self.download)
        monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: self)  # pyright: ignore[reportUnknownLambdaType]
        self.sha, self.siblings = COMMIT, ()

    def download(self, repo: str, **options: Any) -> str:
        self.asked.append({"repo": repo, **options})
        if options.get("local_dir"):
            return str(lay(options["local_dir"], self.value))
        entry = next(entry for entry in weights.known_weights() if entry.repo == repo)
        return str(snapshot(self.places, entry, options["revision"], self.value))


def entry_without_checksums(monkeypatch: pytest.MonkeyPatch, revision: str | None) -> WeightsInfo:
    entry = WeightsInfo(
        name="thing",
        repo="someone/thing",
        revision=revision,
        size_bytes=1_000_000,
        licence="MIT",
        commercial=True,
        summary="",
    )
    monkeypatch.setattr(weights, "WEIGHTS", (entry,))
    return entry


def test_the_catalogue_holds_what_the_preprocessors_name() -> None:
    names = [entry.name for entry in WEIGHTS]
    assert len(set(names)) == len(names)
    needed = {name for entry in preprocessors() if entry.origin == "vedit" for name in entry.needs.weights}
    assert needed <= set(names)
    for entry in WEIGHTS:
        assert entry.revision is None or re.fullmatch("[0-9a-f]{40}", entry.revision), entry.name
        assert entry.size_bytes > 0 and entry.licence and entry.summary, entry.name
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in entry.sha256.values()), entry.name
        assert not [pattern for pattern in entry.files if pattern.endswith((".bin", ".pth", ".pt", ".py", "*"))]


@pytest.mark.parametrize("kind", ["depth", "pose", "segment", "foreground"])
def test_default_weights_may_be_used_commercially(kind: str) -> None:
    for name in preprocessors()[kind].needs.weights:
        assert weights.info(name).commercial, name


def test_absent_weights_are_told_in_one_line() -> None:
    with pytest.raises(ModelError) as told:
        weights.local(NAME)
    message = str(told.value)
    for part in ("'depth'", "99 MB", "Apache-2.0", f"vedit models pull {NAME}"):
        assert part in message
    assert "\n" not in message
    with pytest.raises(ModelError, match="did you mean 'depth-anything-v2-small'"):
        weights.local("depth-anything-small")


def test_a_folder_of_the_users_comes_first(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = weights.info(NAME).revision
    assert pinned is not None
    cached = snapshot(own_places, weights.info(NAME), pinned)
    assert weights.local(NAME) == cached and weights.revision(NAME) == pinned
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own_places / "models"))
    assert weights.local(NAME) == cached
    own = lay(own_places / "models" / NAME)
    assert weights.local(NAME) == own and weights.revision(NAME) is None


def test_another_revision_than_the_pinned_one_is_not_taken(own_places: Path) -> None:
    snapshot(own_places, weights.info(NAME), COMMIT)
    with pytest.raises(ModelError, match="not on this machine"):
        weights.local(NAME)


def test_half_a_download_is_not_taken(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own_places / "models"))
    folder = lay(own_places / "models" / NAME)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    assert weights.find(NAME) is None
    lay(folder)
    (folder / "model.safetensors").rename(folder / "model-00002-of-00002.safetensors")
    assert weights.find(NAME) == folder


def test_pickles_are_refused(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own_places / "models"))
    folder = own_places / "models" / NAME
    folder.mkdir(parents=True)
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle file"):
        weights.local(NAME)
    published = next(entry for entry in WEIGHTS if entry.pickle)
    with pytest.raises(ModelError, match="pickle"):
        hub.pull(published.name)


@pytest.mark.parametrize("own", [False, True])
def test_pulling_records_what_came(own: bool, own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_without_checksums(monkeypatch, None)
    fake = FakeHub(own_places, monkeypatch)
    if own:
        monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own_places / "models"))
    folder = hub.pull(entry.name)
    assert weights.local(entry.name) == folder and (folder.parent.name == "models") == own
    assert weights.revision(entry.name) == COMMIT
    assert fake.asked[0]["revision"] == COMMIT
    assert fake.asked[0]["allow_patterns"] == ["*.safetensors", "*.json", "*.txt"]
    assert hub.pull(entry.name) == folder and len(fake.asked) == 1, "what is there is not fetched again"
    assert weights.altered(entry.name) == ()


def test_the_pulled_revision_stays_when_the_hub_moves_on(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_without_checksums(monkeypatch, None)
    FakeHub(own_places, monkeypatch)
    folder = hub.pull(entry.name)
    newer = snapshot(own_places, entry, "f" * 40, value=2.0)  # as another program would fetch it
    assert newer != folder and weights.local(entry.name) == folder


def test_changed_files_are_told(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_without_checksums(monkeypatch, COMMIT)
    FakeHub(own_places, monkeypatch)
    folder = hub.pull(entry.name)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert weights.altered(entry.name) == ("model.safetensors",)
    (folder / "model.safetensors").write_bytes(bytes(data[:-4]))
    with pytest.raises(ModelError, match="is not the file that was pulled"):
        weights.local(entry.name)


def test_what_is_not_the_known_file_is_refused(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeHub(own_places, monkeypatch)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        hub.pull(NAME)
    assert weights.find(NAME) is None, "what was refused must not be loaded later"


def test_a_damaged_record_is_one_line(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_without_checksums(monkeypatch, COMMIT)
    FakeHub(own_places, monkeypatch)
    folder = hub.pull(entry.name)
    pulled = weights.identity(entry.name)
    (folder / weights.RECORD).write_text('{"files": 3')
    with pytest.raises(ModelError, match="is damaged"):
        weights.local(entry.name)
    (folder / weights.RECORD).unlink()
    assert weights.identity(entry.name) not in (None, pulled)


@pytest.mark.parametrize("variable", hub.OFFLINE_VARIABLES)
def test_offline_mode_ends_a_pull(variable: str, own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeHub(own_places, monkeypatch)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ModelError, match=f"{variable} is set") as told:
        hub.pull(NAME)
    assert "\n" not in str(told.value) and not fake.asked
    with pytest.raises(ModelError, match=f"{variable} is set"):
        hub.pull_files("sd15", "someone/thing", ["*.json"])


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route to host\nand more")

    for name in ("snapshot_download", "HfApi.model_info"):
        monkeypatch.setattr(f"huggingface_hub.{name}", fail)
    with pytest.raises(ModelError, match="no route to host") as told:
        hub.pull(NAME)
    assert "\n" not in str(told.value) and "and more" not in str(told.value)


def test_what_goes_wrong_in_loading_is_one_line(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own_places / "models"))
    folder = lay(own_places / "models" / NAME)

    def fail(_: Path) -> None:
        raise RuntimeError("size mismatch for x:\n\tcopying a param")

    with pytest.raises(ModelError, match="size mismatch for x") as told:
        weights.load_from(NAME, fail)
    assert "\n" not in str(told.value) and str(folder) in str(told.value)
    with pytest.raises(ModelError, match="cannot be loaded as"):  # config.json names no architecture
        weights.load_pretrained(NAME, "AutoModelForDepthEstimation")
    (folder / "model.safetensors").write_bytes(b"not safetensors at all")
    (folder / "config.json").write_text('{"model_type": "dpt", "num_hidden_layers": 4}', "utf-8")
    with pytest.raises(ModelError, match="cannot be loaded as") as told:
        weights.load_pretrained(NAME, "DPTForDepthEstimation")
    assert "\n" not in str(told.value)


def test_weights_that_lack_layers_are_refused(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers fills what is missing with random numbers and only warns."""
    from transformers import DPTConfig, DPTForDepthEstimation

    config = DPTConfig(
        image_size=32,
        hidden_size=8,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[4, 4, 4, 4],
        fusion_hidden_size=4,
    )
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own_places / "models"))
    folder = own_places / "models" / NAME
    model = DPTForDepthEstimation(config)
    model.save_pretrained(folder)
    state = {name: value.contiguous() for name, value in model.state_dict().items() if not name.startswith("head.")}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack \d+ of the model's weights, head\."):
        weights.load_pretrained(NAME, "DPTForDepthEstimation")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("config.json", {"_attn_implementation": "somebody/kernel"}),
        ("config.json", {"text_config": {"attn_implementation": "somebody/kernel"}}),
        ("config.json", {"quantization_config": {"quant_method": "bitsandbytes"}}),
        ("adapter_config.json", {"base_model_name_or_path": "/elsewhere"}),
    ],
)
def test_what_a_config_orders_is_not_obeyed(
    file: str, said: dict[str, object], own_places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loader:
        @staticmethod
        def from_pretrained(*_: object, **__: object) -> object:
            pytest.fail("it was loaded")

    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(own_places / "models"))
    folder = lay(own_places / "models" / NAME)
    (folder / file).write_text(json.dumps(said), "utf-8")
    with pytest.raises(ModelError, match=rf"cannot be loaded as {NAME}: (config|adapter_config)\.json (says|asks for)"):
        weights.load_pretrained(NAME, Loader)
