"""`--offload`: a setting of every way to a render, refused where there is no GPU, and known to the plans."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.clips import two_shots
from vedit.cli.app import main
from vedit.edits.plan_file import read_plan
from vedit.errors import SettingError
from vedit.models.footprint import Footprint, Scene
from vedit.models.loading import Loading, check_offload
from vedit.models.ref import ModelRef
from vedit.models.resolve import resolve
from vedit.options.request import Offload, RenderRequest, RestyleOptions
from vedit.render.model_plan import plan_model
from vedit.render.peaks import peaks
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.testing.tiny_sd import write_tiny_sd

LOOK = RestyleOptions(prompt="night", controls=())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return resolve(str(write_tiny_sd(tmp_path_factory.mktemp("offload") / "model", controls=("tile",))))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.mark.parametrize("dry", [True, False], ids=["dry run", "render"])
@pytest.mark.parametrize("offload", ["model", "group"])
def test_on_a_cpu_it_is_refused_before_a_frame_is_read(
    clip: Path, tiny: ModelRef, tmp_path: Path, offload: str, dry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scanned(*_: object) -> None:
        pytest.fail("the source was read")

    monkeypatch.setattr("vedit.render.settle._scanned", scanned)
    words = ["restyle", str(clip), "-p", "night", "--model", tiny.name, "--control", "none", "--device", "cpu"]
    words += ["-o", str(tmp_path / "out.mov"), "--offload", offload, *(["--dry-run"] if dry else [])]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 2
    assert f"offload is {offload}, and the networks are in host memory on cpu; leave it out" in run.output
    assert list(tmp_path.iterdir()) == []
    plan = CliRunner().invoke(main, ["models", "plan", tiny.name, "--device", "cpu", "--offload", offload])
    assert (plan.exit_code, "offload is" in plan.output) == (2, True)


def test_a_family_that_cannot_is_named(tiny: ModelRef) -> None:
    assert tiny.traits.offloads
    check_offload(Loading(device="cuda", offload="group"), model="some", can=True)
    check_offload(Loading(device="cuda:1", offload="group"), model="some", can=True)
    check_offload(Loading(device="cuda"), model="some", can=False)
    with pytest.raises(SettingError, match="the family of some does not offload"):
        check_offload(Loading(device="cuda", offload="model"), model="some", can=False)


def test_it_is_in_records_and_plans(clip: Path, tmp_path: Path) -> None:
    request = RenderRequest(source=clip, options=LOOK, output=tmp_path / "out.mkv", offload="group")
    told = as_recorded(request, tmp_path)
    assert as_asked(json.loads(json.dumps(told)), tmp_path).offload == "group"
    assert as_asked({key: each for key, each in told.items() if key != "offload"}, tmp_path).offload == "none"
    with pytest.raises(SettingError, match="offload"):
        RenderRequest(source=clip, options=LOOK, offload="disk")  # pyright: ignore[reportArgumentType]
    file = tmp_path / "plan.toml"
    file.write_text(f'source = "{clip}"\noffload = "group"\n[[shot]]\nnumber = 1\nframes = "#0..#24"\n')
    assert read_plan(file).top["offload"] == "group"


def taken(model: ModelRef, offload: Offload) -> tuple[Footprint, int, int]:
    loading = Loading(device="cuda", offload=offload)
    scene = Scene(height=256, width=256, batch=1, window=4, loading=loading)
    found = model.footprint(("tile",), scene)
    assert found is not None
    peak = peaks(found, scene, 0)
    assert peak.device is not None
    return found, peak.host, peak.device


def test_less_is_held_on_the_device_and_more_on_the_host() -> None:
    """Of Stable Diffusion 1.5, which is known by its shapes."""
    sd15 = resolve("sd15")
    (found, *none), (_, *model), (_, *group) = (taken(sd15, name) for name in ("none", "model", "group"))
    assert none[1] > model[1] > group[1]
    assert none[0] < model[0] == group[0]
    unet, branch = found.weights["unet"], found.weights["controlnet:tile"]
    # Two of the largest blocks, and what is small: a fourth of both networks.
    assert found.standing + 2 * found.block < 0.25 * (unet + branch)
    assert none[1] - group[1] > 0.75 * (unet + branch)


def test_a_plan_advises_it_where_nothing_else_fits() -> None:
    model, alone = resolve("sd15"), replace(LOOK, batch=1)

    def advice(memory: int | None, offload: Offload = "none") -> tuple[int | None, str]:
        loading = Loading(device="cuda", offload=offload)
        found = plan_model(model, (512, 512), 24, alone, loading, memory=memory)
        return found.peak_device_bytes, found.advice

    grouped, _ = advice(None, "group")
    turns, _ = advice(None, "model")
    assert grouped is not None and turns is not None and grouped < turns
    _, least = advice(1)
    assert least.startswith("nothing fits: the least is ")
    gigabytes = float(least.split("the least is ")[1].split(" GB")[0])
    assert advice(int((gigabytes + 0.1) * 1e9))[1].endswith(", --offload group")
