"""A damaged model folder is told in one line that names the file, before anything else is done."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clips import two_shots
from vedit.cli import main
from vedit.errors import ModelError
from vedit.models.check import checked
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render import settle as planning
from vedit.render.run import plan
from vedit.testing.tiny_sd import LENGTH, write_tiny_sd

UNET, VAE, TEXT, BRANCH = (f"{part}/config.json" for part in ("unet", "vae", "text_encoder", "controlnet"))
SCHEDULER = "scheduler/scheduler_config.json"
TOKENIZER, TOKENIZER_SETTINGS = "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"
UNET_WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
TEXT_WEIGHTS = "text_encoder/model.safetensors"
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def holding(content: str | bytes) -> Damage:
    raw = content.encode() if isinstance(content, str) else content
    return lambda path: void(path.write_bytes(raw))


def saying(**changes: Any) -> Damage:
    def damage(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")

    return damage


def without(*keys: str) -> Damage:
    def damage(path: Path) -> None:
        told = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({key: value for key, value in told.items() if key not in keys}), "utf-8")

    return damage


def cut(count: int) -> Damage:
    return lambda path: void(path.write_bytes(path.read_bytes()[:count]))


def cut_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-16])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 16)


def header_length(length: int) -> Damage:
    return lambda path: void(path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:]))


def gone(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def pickled(path: Path) -> None:
    path.rename(path.with_suffix(".bin"))


def of_model(**changes: Any) -> Damage:
    def damage(path: Path) -> None:
        told = json.loads(path.read_text("utf-8"))
        told["model"].update(changes)
        path.write_text(json.dumps(told), "utf-8")

    return damage


def void(_: object) -> None:
    """For damages that are one expression."""


WAYS: list[tuple[str, Damage, str]] = [
    ("model_index.json", holding("[]"), "holds a list, where a table"),
    ("model_index.json", holding(""), "is empty"),
    ("model_index.json", holding("{"), "is no JSON"),
    (UNET, gone, "is missing"),
    (UNET, holding(b"\xff\xfe{}"), "is no UTF-8"),
    (UNET, holding(b"\xef\xbb\xbf{}"), "is no JSON"),
    (UNET, holding("null"), "holds null"),
    (UNET, holding("7"), "holds a number"),
    (UNET, holding("[" * 100_000), "is nested too deep"),
    (UNET, holding('{"sample_size": NaN}'), "NaN is no number"),
    (UNET, saying(sample_size=float("inf")), "Infinity is no number"),
    (UNET, holding('{"sample_size": 1e999}'), "sample_size = inf: it is not finite"),
    (UNET, holding(f'{{"sample_size": {"9" * 5000}}}'), "is no JSON: Exceeds the limit"),
    (UNET, holding('{"block_out_channels": [64], "x": 99999999999}'), "x = 99999999999: it is beyond"),
    (UNET, a_folder, "is a folder, where a file"),
    (UNET, a_pipe, "is missing"),
    (UNET, saying(layers_per_block=1_000_000_000), "layers_per_block = 1000000000: it is beyond"),
    (UNET, saying(layers_per_block=10_000), "layers_per_block = 10000, where"),
    (UNET, saying(layers_per_block="two"), "layers_per_block = 'two', where"),
    (UNET, saying(block_out_channels=[16384, 16384]), "a network of at least"),
    (UNET, saying(block_out_channels=64), "block_out_channels = 64, where"),
    (UNET, saying(block_out_channels=[]), "where a list of 1 to 16"),
    (UNET, saying(cross_attention_dim=-8), "cross_attention_dim = -8"),
    (UNET, saying(quantization_config={"load_in_4bit": True}), "the weights are quantized"),
    (UNET, saying(quantization_config={"quant_method": "bitsandbytes"}), "the weights are quantized by bitsandbytes"),
    (UNET, without("block_out_channels"), "does not say block_out_channels"),
    (VAE, saying(scaling_factor=0), "scaling_factor = 0, where a number above 0"),
    (VAE, saying(scaling_factor="x"), "scaling_factor = 'x'"),
    (VAE, saying(latent_channels=None), "latent_channels = None"),
    (TEXT, saying(num_hidden_layers=10**9), "it is beyond"),
    (TEXT, saying(max_position_embeddings=0), "max_position_embeddings = 0"),
    (TEXT, saying(hidden_size=8192), "a network of at least"),
    (TEXT, saying(quantization_config={}), "the weights are quantized"),
    (BRANCH, holding("{}"), "does not say block_out_channels"),
    (BRANCH, saying(controlnet_conditioning_channel_order=["x"]), "where rgb or bgr is wanted"),
    (SCHEDULER, holding("[]"), "holds a list"),
    (SCHEDULER, holding("{}"), "does not say"),
    (SCHEDULER, gone, "is missing"),
    (SCHEDULER, saying(beta_start=-1), "beta_start = -1, where a number from 0 to below 1"),
    (SCHEDULER, saying(beta_end="0.012"), "beta_end = '0.012'"),
    (SCHEDULER, saying(beta_end=0), "says beta_end = 0"),
    (SCHEDULER, saying(beta_end=1), "beta_end = 1, where a number from 0 to below 1"),
    (SCHEDULER, saying(beta_end=0.9), "nothing is left to divide by"),
    (SCHEDULER, saying(trained_betas=[0.5] * 1000), "nothing is left to divide by"),
    (SCHEDULER, saying(rescale_betas_zero_snr=True), "from which epsilon cannot be predicted"),
    (SCHEDULER, saying(num_train_timesteps=0), "num_train_timesteps = 0"),
    (SCHEDULER, saying(num_train_timesteps=1000.5), "num_train_timesteps = 1000.5"),
    (SCHEDULER, saying(trained_betas=[0.1, 0.2]), "2 trained_betas for 1000 timesteps"),
    (SCHEDULER, saying(beta_schedule="ramp"), "beta_schedule = 'ramp'"),
    (SCHEDULER, saying(prediction_type="sample"), "prediction_type = 'sample'"),
    (SCHEDULER, saying(steps_offset=1000), "steps_offset = 1000 of 1000"),
    (UNET_WEIGHTS, gone, "unet has no weights in it"),
    (UNET_WEIGHTS, holding(b""), "is empty"),
    (UNET_WEIGHTS, cut(5), "is no safetensors file"),
    (UNET_WEIGHTS, cut(4000), "is no safetensors file"),
    (UNET_WEIGHTS, cut_end, "is cut off: it has"),
    (UNET_WEIGHTS, longer, "is damaged: it has"),
    (UNET_WEIGHTS, header_length(2**63), "is no safetensors file"),
    (UNET_WEIGHTS, header_length(16), "has a damaged header"),
    (UNET_WEIGHTS, holding(b"\0" * 4096), "is no safetensors file"),
    (UNET_WEIGHTS, holding(b"<!DOCTYPE html><html>not found</html>"), "is a web page, not weights"),
    (UNET_WEIGHTS, a_folder, "is a folder, where a file"),
    (TEXT_WEIGHTS, pickled, "as pickles alone"),
    (TOKENIZER, gone, "is missing: the prompt cannot be spelled"),
    (TOKENIZER, holding("{}"), "has no table 'model'"),
    (TOKENIZER, of_model(vocab={}), "has no vocabulary"),
    (TOKENIZER, of_model(vocab={"a": 0, "b": 0}), "gives two words one number"),
    (TOKENIZER, of_model(vocab={"a": 64}), "numbers its words otherwise than by 0 to 63"),
    (TOKENIZER, of_model(vocab={"a": "b"}), "numbers its words otherwise"),
    (TOKENIZER, of_model(merges="all"), "has no list of merges"),
    (TOKENIZER, of_model(merges=["\x00\x01 zz"]), "which is no pair of words"),
    (TOKENIZER_SETTINGS, holding("[1]"), "holds a list"),
    (TOKENIZER_SETTINGS, saying(model_max_length=-1), "model_max_length = -1"),
    (TOKENIZER_SETTINGS, saying(model_max_length="many"), "model_max_length = 'many'"),
    (TOKENIZER_SETTINGS, saying(bos_token=[1]), r"bos_token = \[1\]"),
    (TOKENIZER_SETTINGS, saying(vocab="/etc/hostname"), "says 'vocab' itself"),
    ("controls.json", holding("[]"), "holds a list"),
    ("controls.json", holding('{"tile": 7}'), "which is no folder beside it"),
    ("controls.json", holding('{"tile": "../../elsewhere"}'), "which is no folder beside it"),
    ("controls.json", holding('{"tile": "/etc"}'), "which is no folder beside it"),
    ("controls.json", holding('{"tile": "nowhere"}'), "there is no such folder"),
    ("controlnet/diffusion_pytorch_model.safetensors", gone, "controlnet has no weights in it"),
]


@pytest.mark.parametrize(("file", "damage", "said"), WAYS, ids=[f"{n}-{way[0]}" for n, way in enumerate(WAYS)])
def test_one_line_names_the_file(folder: Path, file: str, damage: Damage, said: str) -> None:
    damage(folder / file)
    with pytest.raises(ModelError, match=said) as caught:
        checked(resolve(str(folder)), controls=("tile", "softedge"))
    assert caught.value.exit_code == 2
    assert Path(file).parent.name in caught.value.message
    assert Path(file).stem in caught.value.message
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=said):
        load_sd(resolve(str(folder)), controls=("tile", "softedge"))


def test_files_that_the_user_may_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def closed(path: Path, *args: Any, **settings: Any) -> Any:
        if path.name in shut:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **settings)

    monkeypatch.setattr(Path, "open", closed)
    for shut in (["diffusion_pytorch_model.safetensors"], ["scheduler_config.json"]):
        with pytest.raises(ModelError, match=rf"{shut[0]} cannot be read: Permission denied"):
            checked(resolve(str(folder)))


def test_it_is_found_before_shots_are_detected(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def detect(*_: object, **__: object) -> None:
        pytest.fail("shots were detected")

    monkeypatch.setattr(planning, "detect_shots", detect)
    clip = two_shots(tmp_path / "in.mov")
    (folder / SCHEDULER).write_text("[]")
    words = ["restyle", str(clip), "--prompt", "night", "--model", str(folder)]
    for more in ([], ["--dry-run"], ["--preview"]):
        assert main([*words, *more], standalone_mode=False) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"vedit: error: {folder / SCHEDULER} holds a list, where a table is wanted; ")
    with pytest.raises(ModelError, match="holds a list"):
        plan(RenderRequest(source=clip, options=RestyleOptions(prompt="night"), model=str(folder)))
    assert {path.name for path in tmp_path.iterdir()} == {"in.mov", "model"}


@pytest.mark.parametrize("length", [10**30, 1e30, 10**9, None])
def test_a_tokenizer_without_a_limit_has_the_text_encoder_s(folder: Path, length: float | None) -> None:
    (without("model_max_length") if length is None else saying(model_max_length=length))(folder / TOKENIZER_SETTINGS)
    model = load_sd(resolve(str(folder)))
    assert model.text("a house").states.shape[1] == LENGTH


def test_how_attention_is_computed_is_not_the_model_s_to_say(folder: Path) -> None:
    saying(_attn_implementation="somebody/kernel", attn_implementation="somebody/kernel")(folder / TEXT)
    saying(_attn_implementation="somebody/kernel", auto_map={"AutoModel": "evil.Model"})(folder / UNET)
    assert load_sd(resolve(str(folder))).text.encoder.config._attn_implementation == "sdpa"  # pyright: ignore[reportPrivateUsage]


def test_an_index_names_files_beside_it_alone(folder: Path, tmp_path: Path) -> None:
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        weights = folder / part / f"{stem}.safetensors"
        elsewhere, index = tmp_path / f"{part}.safetensors", folder / part / f"{stem}.safetensors.index.json"
        shutil.copy(weights, elsewhere)
        for name in (f"../../{part}.safetensors", str(elsewhere), "x/../w.safetensors", 7):
            weights.unlink(missing_ok=True)
            index.write_text(json.dumps({"metadata": {}, "weight_map": {"conv_in.weight": name}}), "utf-8")
            with pytest.raises(ModelError, match=r"index\.json names .*, which is no file beside it"):
                load_sd(resolve(str(folder)))
        index.write_text(json.dumps({"weight_map": {"conv_in.weight": "absent.safetensors"}}), "utf-8")
        with pytest.raises(ModelError, match=r"there is no file .*absent\.safetensors"):
            load_sd(resolve(str(folder)))
        index.unlink()
        shutil.copy(elsewhere, weights)
    load_sd(resolve(str(folder)))


def test_a_text_encoder_follows_no_adapter_elsewhere(folder: Path) -> None:
    whole = load_sd(resolve(str(folder))).fingerprint
    (folder / "text_encoder" / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere"}', "utf-8")
    assert load_sd(resolve(str(folder))).fingerprint == whole


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (VAE, saying(up_block_types=["../../x"] * 4)),
        (UNET, saying(num_class_embeds=-1)),
        (TEXT, saying(hidden_act="nothing")),
        (TOKENIZER, saying(pre_tokenizer={"type": "Nothing"})),
    ],
)
def test_what_only_a_library_finds_names_its_file_too(folder: Path, file: str, damage: Damage) -> None:
    damage(folder / file)
    with pytest.raises(ModelError, match=f"{Path(file).parent.name}.* cannot be loaded: ") as caught:
        load_sd(resolve(str(folder)))
    assert "\n" not in str(caught.value)
