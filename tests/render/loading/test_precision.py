"""`--precision`: what the networks compute in is what was asked for, is told apart, and is the same from everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.support.asked import LOOK, request_of
from vedit.cli.app import main
from vedit.edits.plan_file import read_plan
from vedit.errors import SettingError
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import model_of, resolve
from vedit.options.request import Precision, RenderRequest
from vedit.render.estimate import describe_job
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.render.run import restyle
from vedit.render.settle import make_job
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames


def frames_of(path: Path) -> IntFrames:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=4)).frames


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_networks_compute_in_it_and_the_record_says_so(
    clip: Path, folder: Path, tmp_path: Path, precision: Precision
) -> None:
    request = request_of(clip, folder, tmp_path / "out.mkv")
    restyle(request)
    wide = frames_of(tmp_path / "out.mkv")
    # Over the work that the first has kept: nothing of it may be taken for that of the second.
    asked = replace(request, precision=precision, writing=replace(request.writing, overwrite=True))
    again = restyle(asked)
    assert again.units_kept == 0
    near = frames_of(tmp_path / "out.mkv")
    assert not np.array_equal(wide, near)
    assert np.abs(wide.astype(int) - near.astype(int)).mean() < 2, "the same picture"
    told = sidecar_path(tmp_path / "out.mkv").read_text("utf-8")
    assert f'"precision": "{precision}"' in json.dumps(json.loads(told))


def test_float32_on_a_cpu_is_what_auto_is(clip: Path, folder: Path, tmp_path: Path) -> None:
    request = request_of(clip, folder, tmp_path / "out.mkv")
    restyle(request)
    asked = replace(request, precision="float32", writing=replace(request.writing, overwrite=True))
    assert restyle(asked).units_kept > 0


def test_frames_are_decoded_in_float32_beside_bfloat16(folder: Path) -> None:
    model = load_sd(resolve(str(folder)), Loading(precision="bfloat16"))
    assert model.precision == "bfloat16"
    assert model.denoiser.unet.dtype == model.text.encoder.dtype == torch.bfloat16
    assert model.codec.vae.dtype == torch.float32


def test_the_estimates_go_by_it(clip: Path, folder: Path, tmp_path: Path) -> None:
    request = request_of(clip, folder, tmp_path / "out.mkv")
    jobs = [make_job(one, model_of(one)) for one in (request, replace(request, precision="bfloat16"))]
    wide, half = map(describe_job, jobs)
    assert (wide.network, half.network) == (f"{folder} on cpu", f"{folder} on cpu in bfloat16")
    assert wide.peak_memory_bytes is not None
    assert half.peak_memory_bytes is not None
    assert half.peak_memory_bytes < wide.peak_memory_bytes
    usual = replace(request, model="embedded")
    embedded = (usual, replace(usual, precision="bfloat16"))
    looks = [describe_job(make_job(one, model_of(one))) for one in embedded]
    assert looks[0].peak_memory_bytes != looks[1].peak_memory_bytes


def test_a_plan_of_a_model_goes_by_it(folder: Path) -> None:
    def told(*words: str) -> dict[str, dict[str, int]]:
        run = CliRunner().invoke(main, ["models", "plan", str(folder), "--size", "128", "--json", *words])
        assert run.exit_code == 0, run.output
        return json.loads(run.output)

    wide, half = told(), told("--precision", "bfloat16")
    assert (wide["precision"], half["precision"]) == ("float32", "bfloat16")
    assert wide["weights"]["unet"] == 2 * half["weights"]["unet"]
    assert wide["weights"]["vae"] == half["weights"]["vae"]


def test_it_is_in_records_and_plans_and_on_the_command_line(clip: Path, folder: Path, tmp_path: Path) -> None:
    request = replace(request_of(clip, folder, tmp_path / "out.mkv"), precision="bfloat16")
    told = as_recorded(request, tmp_path)
    assert as_asked(json.loads(json.dumps(told)), tmp_path).precision == "bfloat16"
    assert as_asked({key: each for key, each in told.items() if key != "precision"}, tmp_path).precision == "auto"
    with pytest.raises(SettingError, match="precision"):
        RenderRequest(source=clip, options=LOOK, precision="float8")  # pyright: ignore[reportArgumentType]
    words = ["restyle", str(clip), "-p", "night", "--model", str(folder), "--control", "none", "--dry-run"]
    run = CliRunner().invoke(main, [*words, "--precision", "bfloat16"])
    assert run.exit_code == 0, run.output
    assert "on cpu in bfloat16" in run.output
    assert CliRunner().invoke(main, [*words, "--precision", "float8"]).exit_code == 2
    file = tmp_path / "plan.toml"
    file.write_text(f'source = "{clip}"\nprecision = "bfloat16"\n[[shot]]\nnumber = 1\nframes = "#0..#24"\n')
    assert read_plan(file).top["precision"] == "bfloat16"
