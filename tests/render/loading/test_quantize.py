"""`--quantize`: what weights are held in is told apart, refused where it cannot be, and the same from everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.torch import save_file

from tests.support.asked import LOOK, request_of
from tests.support.gguf_files import write_gguf
from tests.support.lora_files import TO_K, pair, weights_of
from vedit.cli.app import main
from vedit.edits.plan_file import read_plan
from vedit.errors import ModelError, SettingError
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.models.loading import Loading
from vedit.models.ref import ModelRef
from vedit.models.resolve import model_of, resolve
from vedit.options.request import RenderRequest
from vedit.render.model_plan import plan_model
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.render.run import restyle
from vedit.types import FrameRange


def test_frames_are_near_those_without_and_never_taken_for_them(clip: Path, folder: Path, tmp_path: Path) -> None:
    request, found = request_of(clip, folder, tmp_path / "out.mkv"), []
    for name in ("none", "int8", "nf4"):
        asked = replace(request, quantize=name, writing=replace(request.writing, overwrite=True))
        # Over the work that the last has kept: nothing of it may be taken for that of this one.
        assert restyle(asked).units_kept == 0
        with open_video(tmp_path / "out.mkv") as reader:
            found.append(reader.read(FrameRange(start=0, stop=4)).frames.astype(int))
    assert restyle(asked).units_kept > 0
    wide, eight, four = found
    assert 0 < np.abs(wide - eight).mean() < np.abs(wide - four).mean() < 16
    told = sidecar_path(tmp_path / "out.mkv").read_text("utf-8")
    assert '"quantize": "nf4"' in json.dumps(json.loads(told))


def test_a_lora_acts_on_quantised_weights(clip: Path, folder: Path, tmp_path: Path) -> None:
    down, up = pair(weights_of(folder, "unet")[f"{TO_K}.weight"], seed=1)
    file = tmp_path / "ink.safetensors"
    save_file({f"unet.{TO_K}.lora_A.weight": down, f"unet.{TO_K}.lora_B.weight": up}, file)
    words = ["restyle", str(clip), "-p", "night", "--model", str(folder), "--control", "none", "--range", "#0..#2"]
    words += ["--steps", "1", "--quality", "draft", "--codec", "ffv1", "--quantize", "int8"]
    found: list[bytes] = []
    for name, more in (("plain", []), ("ink", ["--lora", str(file)])):
        output = tmp_path / f"{name}.mkv"
        run = CliRunner().invoke(main, [*words, *more, "-o", str(output)])
        assert run.exit_code == 0, run.output
        with open_video(output) as reader:
            found.append(reader.read(FrameRange(start=0, stop=2)).frames.tobytes())
    assert found[0] != found[1]


def test_what_cannot_be_quantised_is_refused_before_frames_are_read(clip: Path, folder: Path) -> None:
    words = ["restyle", str(clip), "-p", "night", "--control", "none", "--quantize", "int8", "--dry-run"]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 2
    assert "embedded has few-step weights" in run.output
    model = resolve(str(folder))
    with pytest.raises(ModelError, match="cannot be quantised"):
        replace(model, traits=replace(model.traits, quantizes=False)).check_quantized("int8")


def test_it_is_in_records_and_plans_and_on_the_command_line(clip: Path, folder: Path, tmp_path: Path) -> None:
    request = replace(request_of(clip, folder, tmp_path / "out.mkv"), quantize="int4")
    told = as_recorded(request, tmp_path)
    assert as_asked(json.loads(json.dumps(told)), tmp_path).quantize == "int4"
    assert as_asked({key: each for key, each in told.items() if key != "quantize"}, tmp_path).quantize == "none"
    with pytest.raises(SettingError, match="quantize"):
        RenderRequest(source=clip, options=LOOK, quantize="int2")  # pyright: ignore[reportArgumentType]
    words = ["restyle", str(clip), "-p", "night", "--model", str(folder), "--control", "none", "--dry-run"]
    run = CliRunner().invoke(main, [*words, "--quantize", "int8"])
    assert run.exit_code == 0, run.output
    assert "on cpu, weights in int8" in run.output
    assert model_of(replace(request, quantize="none")) == model_of(request)
    file = tmp_path / "plan.toml"
    file.write_text(f'source = "{clip}"\nquantize = "nf4"\n[[shot]]\nnumber = 1\nframes = "#0..#24"\n')
    assert read_plan(file).top["quantize"] == "nf4"


def test_a_plan_of_a_model_knows_the_bytes_and_advice_names_it(folder: Path) -> None:
    def told(*words: str) -> dict[str, dict[str, int]]:
        run = CliRunner().invoke(main, ["models", "plan", str(folder), "--size", "128", "--json", *words])
        assert run.exit_code == 0, run.output
        return json.loads(run.output)

    wide, eight = told("--control", "none"), told("--control", "none", "--quantize", "int8")
    assert (wide["quantize"], eight["quantize"]) == ("none", "int8")
    assert eight["weights"]["unet"] < 0.4 * wide["weights"]["unet"]
    least = replace(LOOK, batch=1, window=1)
    cuda = Loading(device="cuda", precision="float32")

    def planned(loading: Loading, memory: int | None) -> tuple[int, str]:
        found = plan_model(resolve(str(folder)), (128, 128), 24, least, loading, memory=memory)
        assert found.peak_device_bytes is not None
        return found.peak_device_bytes, found.advice

    needed = planned(cuda, None)[0]
    fewer = planned(replace(cuda, quantize="nf4"), None)[0]
    assert fewer < needed
    assert planned(cuda, needed)[1] == ""
    least_of_all = planned(replace(cuda, quantize="nf4"), 1)[1]
    assert least_of_all.startswith("nothing fits")
    assert planned(cuda, 1)[1].startswith("nothing fits")


def test_advice_names_the_least_of_all_and_never_what_is_refused(folder: Path, tmp_path: Path) -> None:
    def advice(model: ModelRef, loading: Loading, memory: int = 1) -> str:
        return plan_model(model, (512, 512), 24, replace(LOOK, batch=1), loading, memory=memory).advice

    sd15, cuda = resolve("sd15"), Loading(device="cuda")
    least = advice(sd15, replace(cuda, quantize="nf4"))
    assert advice(sd15, cuda) == advice(sd15, replace(cuda, quantize="int8")) == least
    # What lies between that and the least of whole weights is enough for fewer bits alone.
    whole = advice(replace(sd15, traits=replace(sd15.traits, quantizes=False)), cuda)
    bounds = [float(text.split("the least is ")[1].split(" GB")[0]) * 1e9 for text in (least, whole)]
    assert advice(sd15, cuda, int(sum(bounds) / 2)).startswith("--quantize ")
    file = write_gguf(tmp_path / "unet.gguf", weights_of(folder, "unet"), "F32")
    in_blocks = resolve(str(folder), unet=str(file))
    with pytest.raises(ModelError, match="rests as its file has it"):
        in_blocks.check_quantized("int8")
    needed = plan_model(in_blocks, (512, 512), 24, LOOK, cuda, memory=None).peak_device_bytes
    assert needed is not None
    for part in range(1, 40):
        assert "--quantize" not in advice(in_blocks, cuda, needed * part // 40)
