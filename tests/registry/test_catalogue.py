"""The catalogue of models: what vedit lists, what others add, and what is refused of a list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vedit.errors import InputError, ModelError
from vedit.models.listed import place_of
from vedit.models.resolve import known_names, resolve
from vedit.models.source import SD15
from vedit.registry import catalogue as listing
from vedit.registry.catalogue import catalogue, own
from vedit.weights.hub_cache import hub_place
from vedit.weights.store import known_weights

ENTRY = """
[[model]]
name = "house-style"
part = "lora"
summary = "how the house draws"
repo = "house/style"
file = "style.safetensors"
size_bytes = 20_000_000
licence = "of the house"
commercial = false
limits = "not in the European Union"
"""


@pytest.fixture(autouse=True)
def nobody_elses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(listing.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str = "house.toml") -> Path:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    monkeypatch.setenv(listing.VARIABLE, str(file))
    return file


def test_what_vedit_lists_is_whole_and_safe() -> None:
    models = own().models
    assert {"sd15", "sd21", "sdxl", "sdxl-turbo", "lcm-lora-sd15", "ip-adapter-sd15", "animatediff-v3"} <= models.keys()
    for entry in models.values():
        assert hub_place(entry.place) is not None, entry.name
        assert all(name in models for name in entry.needs), entry.name
        assert not [one for one in entry.fetched if one.endswith((".bin", ".ckpt", ".pt", "*.safetensors"))]
    assert all(not entry.commercial for name, entry in models.items() if "turbo" in name)
    names = [entry.name for entry in (*known_names(), *known_weights())]
    assert len(names) == len(set(names))


def test_a_name_is_what_its_option_takes(tmp_path: Path) -> None:
    assert resolve("sd15").source == SD15
    assert resolve("embedded", {"depth": "controlnet-depth-sd15"}).source.controlnets == {
        "depth": own().models["controlnet-depth-sd15"].place
    }
    assert resolve("embedded", {"depth": "t2i-depth-sdxl"}).source.controlnets == {
        "depth": own().models["t2i-depth-sdxl"].place
    }
    assert place_of("lcm-lora-sd15", "lora") == "latent-consistency/lcm-lora-sdv1-5/pytorch_lora_weights.safetensors"
    with pytest.raises(ModelError, match="lcm-lora-sd15 is a LoRA, not a model; give it as --lora lcm-lora-sd15"):
        resolve("lcm-lora-sd15")
    with pytest.raises(ModelError, match=r"sdxl is a model, not a ControlNet; give it as --model sdxl"):
        resolve("embedded", {"depth": "sdxl"})
    with pytest.raises(ModelError, match=r"is a T2I-Adapter, not a model; give it as --controlnet KIND=t2i-depth-sdxl"):
        resolve("t2i-depth-sdxl")


def test_a_users_list_adds_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = listed(tmp_path, monkeypatch, ENTRY)
    entry = catalogue().models["house-style"]
    assert (entry.asked, entry.origin) == ("no commercial use; not in the European Union", str(file))
    assert place_of("house-style", "lora") == "house/style/style.safetensors"
    file.write_text(ENTRY.replace("house-style", "other-style"), "utf-8")  # it is read again
    assert "other-style" in catalogue().models and "house-style" not in catalogue().models
    monkeypatch.delenv(listing.VARIABLE)
    usual = listing.user_folder() / "models.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text(ENTRY, "utf-8")
    assert "house-style" in catalogue().models


def test_a_distributions_list_adds_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "house_models"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('it is not imported')", "utf-8")
    (package / "list.toml").write_text(ENTRY, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = type("Point", (), {"value": "house_models:list.toml", "dist": type("Dist", (), {"name": "house"})()})()
    monkeypatch.setattr(listing, "entry_points", lambda *, group: [point] if group == listing.GROUP else [])  # pyright: ignore
    listing._of_distributions.cache_clear()  # pyright: ignore[reportPrivateUsage]
    try:
        assert catalogue().models["house-style"].origin == "house"
        (package / "list.toml").unlink()
        listing._of_distributions.cache_clear()  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(InputError, match=r"the list of models 'house_models:list\.toml' of house is not there"):
            catalogue()
    finally:
        listing._of_distributions.cache_clear()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "house-style"', 'name = "sdxl"'), r"lists 'sdxl', which vedit has already; give it another name"),
        (('name = "house-style"', 'name = "embedded"'), r"lists 'embedded', which vedit has already"),
        (('name = "house-style"', 'name = "clip-vit-large-patch14"'), "which vedit has already"),
        (('name = "house-style"', 'name = "../x"'), "is of small letters, digits"),
        (('part = "lora"', 'part = "lorra"'), "part is one of model, controlnet, lora"),
        (('repo = "house/style"', 'repo = "house"'), "is a repository of the hub, owner/name"),
        (('repo = "house/style"', ""), "does not say repo"),
        (("size_bytes = 20_000_000", "size_bytes = -1"), "is a number of bytes"),
        (("commercial = false", 'commercial = "no"'), "is true or false"),
        (("commercial = false", "comercial = false"), "there is no key 'comercial'; did you mean 'commercial'"),
        (("commercial = false", 'revision = "main"'), "is a commit, 40 hex digits"),
        (("commercial = false", 'sha256 = { "style.safetensors" = "12" }'), "SHA-256, 64 hex digits"),
        (('file = "style.safetensors"', ""), "says neither file nor files"),
        (('file = "style.safetensors"', 'file = "style.ckpt"'), "names no pickle and no code"),
        (('file = "style.safetensors"', 'file = "../style.safetensors"'), "without .."),
        (('file = "style.safetensors"', 'files = ["x.json"]\nfile = "y.safetensors"'), "files do not hold"),
        (
            ('limits = "not in the European Union"', 'controlnets = { tile = "nothing" }'),
            "which is no listed ControlNet",
        ),
        (("[[model]]", "[[modle]]"), "there is no table 'modle'; did you mean 'model'"),
        (("[[model]]", "[model]"), r"model is no list of tables; write \[\[model\]\]"),
        (("[[model]]", "[[model"), "is no TOML"),
    ],
)
def test_a_list_that_is_not_understood_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], said: str
) -> None:
    before, after = change
    assert before in ENTRY
    file = listed(tmp_path, monkeypatch, ENTRY.replace(before, after))
    with pytest.raises(InputError) as error:
        catalogue()
    assert re.search(said, str(error.value)) and str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_list_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match=r"VEDIT_MODELS names .*none.toml, which is no file"):
        catalogue()
    assert resolve("embedded").name == "embedded"  # what ships needs no list


def test_a_folder_of_the_users_comes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "models" / "loras" / "lcm-lora-sd15.safetensors"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path))
    assert place_of("lcm-lora-sd15", "lora") == str(file)
