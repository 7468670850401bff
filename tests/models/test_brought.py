"""LoRAs and embeddings by the names of the list, of model folders and of the hub: from the command line, plans, Python
and records alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.clips import two_shots
from tests.support.lora_files import write_kohya
from vedit import api
from vedit.cli import main
from vedit.edits.confined_paths import NamedFiles
from vedit.errors import InputError, ModelError
from vedit.media.writing.sidecar import read_record, sidecar_path
from vedit.models.brought import here, with_embedding_files
from vedit.models.lora_file import lora_path
from vedit.models.regimes import regime_of_lora
from vedit.options.embeddings import parse_embedding
from vedit.options.look_parser import look_options
from vedit.options.loras import parse_lora
from vedit.options.request import RestyleOptions
from vedit.registry import catalogue as listing
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.weights.hub_cache import snapshots_of
from vedit.weights.store import FOLDER_VARIABLE

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENTRY = """
[[model]]
name = "{name}"
part = "{part}"
summary = "a test's"
repo = "house/{repo}"
file = "{file}"
size_bytes = 20_000
licence = "of the house"
{more}
"""
LIST = (
    ENTRY.format(name="ink", part="lora", repo="ink", file="style.safetensors", more="weight = 0.5")
    + ENTRY.format(name="quick", part="lora", repo="ink", file="fast.safetensors", more='regime = "lcm"')
    + ENTRY.format(name="wetlook", part="embedding", repo="words", file="v.safetensors", more="")
    + ENTRY.format(name="absent", part="lora", repo="absent", file="a.safetensors", more="")
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_sd(tmp_path / "model", controls=())


@pytest.fixture(autouse=True)
def house(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a list of one's own, as the hub's cache has them."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for repo in ("ink", "words"):
        snapshots = snapshots_of(f"house/{repo}")
        (snapshots / COMMIT).mkdir(parents=True)
        (snapshots.parent / "refs").mkdir()
        (snapshots.parent / "refs" / "main").write_text(COMMIT, "utf-8")
    for seed, name in enumerate(("style", "fast")):
        write_kohya(snapshots_of("house/ink") / COMMIT / f"{name}.safetensors", model, seed=seed)
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    save_file({"emb_params": vectors}, snapshots_of("house/words") / COMMIT / "v.safetensors")
    (tmp_path / "house.toml").write_text(LIST, "utf-8")
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "house.toml"))
    monkeypatch.chdir(tmp_path)
    return snapshots_of("house/ink") / COMMIT


def test_a_name_stands_for_its_file_and_weight(house: Path, tmp_path: Path) -> None:
    spec = parse_lora("ink")
    assert (lora_path(spec.path), spec.weight) == (house / "style.safetensors", 0.5)
    assert parse_lora("ink:2").weight == 2
    assert lora_path(parse_lora("house/ink/style.safetensors:2").path) == house / "style.safetensors"
    (tmp_path / "ink").mkdir()
    write_kohya(tmp_path / "ink" / "pytorch_lora_weights.safetensors", tmp_path / "model")
    mine = parse_lora("ink")
    assert (lora_path(mine.path).name, mine.weight) == ("pytorch_lora_weights.safetensors", 1), "a path comes first"


def test_a_name_of_something_else_or_not_here_is_said() -> None:
    with pytest.raises(ModelError, match=r"wetlook is an embedding, not a LoRA; give it as --embedding wetlook"):
        lora_path(Path("wetlook"))
    with pytest.raises(ModelError, match=r"the LoRA absent is not on this machine; .*: vedit models pull absent"):
        lora_path(Path("absent"))
    with pytest.raises(ModelError, match=r"the LoRA lcm-lora-sd1 is not on this machine; did you mean 'lcm-lora-sd15'"):
        lora_path(Path("lcm-lora-sd1"))
    with pytest.raises(ModelError, match=r"the LoRA /in/k.safetensors is not on this machine; check the path$"):
        lora_path(Path("/in/k.safetensors"))


def test_a_listed_regime_counts_where_files_tell_none(house: Path) -> None:
    for path in (Path("quick"), house / "fast.safetensors"):
        regime = regime_of_lora(path)
        assert regime is not None and regime.name == "lcm" and "lists the LoRA" in regime.why
    assert regime_of_lora(Path("ink")) is None


def test_what_a_list_may_say_of_weight_and_regime(tmp_path: Path) -> None:
    file = tmp_path / "house.toml"
    for more, said in (
        ("weight = 11", "is a number from -10 to 10"),
        ("weight = true", "is a number from -10 to 10"),
        ('regime = "quick"', "is one of animatelcm|is one of .*lcm"),
    ):
        file.write_text(ENTRY.format(name="one", part="lora", repo="x", file="x.safetensors", more=more), "utf-8")
        with pytest.raises(InputError, match=said):
            listing.catalogue()
    entry = ENTRY.format(name="one", part="embedding", repo="x", file="x.safetensors", more="weight = 1")
    file.write_text(entry, "utf-8")
    with pytest.raises(InputError, match="weight is of a lora"):
        listing.catalogue()


def test_an_embedding_keeps_its_name_as_its_word(house: Path) -> None:
    looks = RestyleOptions(prompt="x", embeddings=(parse_embedding("wetlook"), parse_embedding("wetlook=soaked")))
    named = with_embedding_files(looks).embeddings
    assert [one.word for one in named] == ["wetlook", "soaked"]
    assert {one.path for one in named} == {snapshots_of("house/words") / COMMIT / "v.safetensors"}
    with pytest.raises(ModelError, match="the embedding absent-one is not on this machine"):
        with_embedding_files(RestyleOptions(prompt="x", embeddings=(parse_embedding("absent-one"),)))


def test_a_plan_takes_names_and_files_from_its_folder_alone(house: Path, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    files = NamedFiles(path=tmp_path / "job" / "plan.toml")
    look = {
        "loras": ["ink", "ink:2", {"file": "ink"}, "house/ink/style.safetensors"],
        "embeddings": ["wetlook", "wetlook=wet"],
        "regions": [{"mask": "box:0%,0%,50%,50%", "prompt": "y", "loras": ["ink:0.3"]}],
    }
    options = look_options(look, files=files, where="look")
    assert [one.weight for one in options.loras] == [0.5, 2, 0.5, 1, 0.3]
    assert {lora_path(one.path) for one in options.loras} == {house / "style.safetensors"}
    assert [one.word for one in options.embeddings] == ["wetlook", "wet"]
    write_kohya(tmp_path / "k.safetensors", tmp_path / "model")
    for name in ("k.safetensors", "nothing"):
        options = look_options({"loras": [name]}, files=files, where="look")
        with pytest.raises(ModelError, match="is not on this machine"):  # though the current folder has the first
            lora_path(options.loras[0].path)
    write_kohya(tmp_path / "job" / "ink" / "pytorch_lora_weights.safetensors", tmp_path / "model")
    options = look_options({"loras": ["ink"]}, files=files, where="look")
    assert lora_path(options.loras[0].path).parent == tmp_path / "job" / "ink"


def test_names_of_a_model_folder(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "ComfyUI"))
    write_kohya(tmp_path / "ComfyUI" / "models" / "loras" / "wood.safetensors", model)
    vectors = tmp_path / "ComfyUI" / "models" / "embeddings" / "bad.safetensors"
    vectors.parent.mkdir()
    save_file({"emb_params": torch.randn(1, 32)}, vectors)
    assert lora_path(parse_lora("wood:0.4").path).name == "wood.safetensors"
    (one,) = with_embedding_files(RestyleOptions(prompt="x", embeddings=(parse_embedding("bad"),))).embeddings
    assert (one.path, one.word) == (vectors, "bad")


@pytest.fixture
def render(model: Path, tmp_path: Path) -> Callable[..., Path]:
    clip = two_shots(tmp_path / "in.mov")

    def run(output: str, **settings: object) -> Path:
        api.restyle(
            clip,
            prompt="night wetlook",
            output=tmp_path / output,
            model=str(model),
            controls=(),
            quality="draft",
            steps=2,
            frames="#0..#1",
            short_side=64,
            **settings,  # pyright: ignore[reportArgumentType]
        )
        return tmp_path / output

    return run


def test_a_render_by_names_is_that_by_files_and_is_made_again_elsewhere(
    render: Callable[..., Path], house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = snapshots_of("house/words") / COMMIT / "v.safetensors"
    by_name = render("a.mov", loras=["ink"], embeddings=["wetlook"])
    by_file = render("b.mov", loras=[f"{house / 'style.safetensors'}:0.5"], embeddings=[f"{vectors}=wetlook"])
    plain = render("c.mov")
    records = [read_record(sidecar_path(path)) for path in (by_name, by_file, plain)]
    weights = [record["recipe"]["weights"] for record in records if record is not None]
    assert weights[0] == weights[1] != weights[2]
    assert by_name.read_bytes() != plain.read_bytes()
    # Another machine: the cache lies elsewhere, and what the record names is not there.
    shutil.move(tmp_path / "hub", tmp_path / "other hub")
    again = ["again", str(sidecar_path(by_name)), "-o", str(tmp_path / "again.mov"), "--dry-run"]
    assert main(again, standalone_mode=False) == 2
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "other hub"))
    assert main(again, standalone_mode=False) == 0
    place = tmp_path / "hub" / "models--house--ink" / "snapshots" / COMMIT / "style.safetensors"
    assert here(place, "lora") == snapshots_of("house/ink") / COMMIT / "style.safetensors"
    shutil.rmtree(tmp_path / "other hub")
    with pytest.raises(ModelError, match=rf"vedit models pull house/ink@{COMMIT}/style\.safetensors"):
        lora_path(place)
