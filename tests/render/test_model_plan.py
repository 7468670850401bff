"""`vedit models plan`: what a model takes, told by its shapes, and the cheapest setting that fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.tiny.ip_adapter import write_encoder, write_ip_adapter
from vedit.cli.app import main
from vedit.errors import InputError, ModelError, SettingError
from vedit.models.footprint import Footprint, Pass, Scene, Work
from vedit.models.loading import Loading
from vedit.models.ref import ModelRef
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.render.model_plan import ModelPlan, plan_model
from vedit.render.peaks import BASE_BYTES, peaks
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec

TILE = RestyleOptions(controls=(ControlSpec(kind="tile"),))
GB = 10**9
CUDA = Loading(device="cuda")
WORK = Work(convolutions=1, products=1, attention=1, moved=1)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return resolve(str(write_tiny_sd(tmp_path_factory.mktemp("plan") / "tiny", controls=("tile",))))


def planned(model: ModelRef, **changes: object) -> ModelPlan:
    given: dict[str, object] = {"size": (256, 128), "frames": 24, "options": TILE, "loading": Loading(), "memory": None}
    return plan_model(model, **(given | changes))  # pyright: ignore[reportArgumentType]


def test_a_longer_clip_takes_longer_and_no_more_memory(tiny: ModelRef) -> None:
    short, long = planned(tiny, frames=160), planned(tiny, frames=1600)
    assert short.peak_memory_bytes == long.peak_memory_bytes
    assert short.seconds is not None
    assert long.seconds is not None
    assert 5 < long.seconds / short.seconds < 10.5


def test_sides_are_rounded_up_to_what_the_model_takes(tiny: ModelRef) -> None:
    assert planned(tiny, size=(200, 130)).size == (208, 144)
    assert tiny.traits.size_multiple == 16


def test_the_first_rung_that_fits_is_named(tiny: ModelRef) -> None:
    whole = planned(tiny, loading=CUDA)
    assert whole.peak_device_bytes is not None
    assert whole.seconds is None or whole.seconds > 0
    fitting = planned(tiny, loading=CUDA, memory=whole.peak_device_bytes)
    assert (fitting.fits, fitting.advice) == (True, "")
    less = planned(tiny, loading=CUDA, memory=whole.peak_device_bytes - 1)
    assert (less.fits, less.advice) == (False, "batch 2, window 24")
    none = planned(tiny, loading=CUDA, memory=1)
    assert none.fits is False
    assert none.advice.startswith("nothing fits: the least is 0.5 GB")


def test_what_is_not_known_is_not_made_up(tiny: ModelRef) -> None:
    with pytest.raises(ModelError, match="is not known"):
        planned(resolve("owner/name"), options=RestyleOptions(controls=()))
    with pytest.raises(InputError, match=r"has no control branch for depth; it has tile"):
        planned(tiny, options=RestyleOptions(controls=(ControlSpec(kind="depth"),)))


def test_taking_turns_holds_the_larger_of_the_two_on_the_device_and_all_in_host_memory() -> None:
    scene = Scene(height=512, width=512, batch=1, window=1, loading=CUDA)
    model = Footprint(
        precision="float16",
        weights={"unet": 6 * GB, "vae": GB, "text_encoder": GB},
        stored={"unet": 6 * GB, "vae": GB, "text_encoder": GB},
        encode=Pass(peak=GB, work=WORK),
        denoise=Pass(peak=2 * GB, work=WORK),
        decode=Pass(peak=5 * GB, work=WORK),
    )
    together, apart = peaks(model, scene, 0), peaks(model, scene, 0, offloaded=True)
    assert together.device is not None
    assert apart.device is not None
    assert together.device - apart.device == (8 + 5) * GB - (1 + 6 + 2) * GB
    assert apart.host - together.host == 8 * GB
    # What reads pictures stays with what reads words; what looks at them is there before the network samples.
    reading = replace(model, weights={**model.weights, "ip_adapter": GB}, reader=9 * GB)
    whole, in_turn = peaks(reading, scene, 0).device, peaks(reading, scene, 0, offloaded=True).device
    assert whole is not None
    assert in_turn is not None
    assert whole - in_turn == (9 + 9) * GB - (2 + 6 + 9) * GB
    on_cpu = peaks(model, replace(scene, loading=Loading()), 0)
    assert on_cpu.device is None
    # The network is there twice as it is loaded, which is more than it takes at work.
    assert on_cpu.host == BASE_BYTES + max(12 * GB, 13 * GB + 512 * 512 * 125)


def test_the_command_prints_it(tiny: ModelRef) -> None:
    run = CliRunner().invoke(main, ["models", "plan", tiny.name, "--size", "256x128", "--device-memory", "1kB"])
    assert run.exit_code == 0, run.output
    assert "256x128, 24 frames, batches of 8, windows of 24" in run.output
    assert "nothing fits" in run.output
    told = json.loads(CliRunner().invoke(main, ["models", "plan", tiny.name, "--size", "128", "--json"]).output)
    assert told["size"] == [128, 128]
    assert set(told["weights"]) == {"unet", "vae", "text_encoder", "controlnet:tile"}
    assert told["fits"] is None
    assert told["reader"] == 0


def test_the_command_counts_an_ip_adapter_and_its_encoder(tiny: ModelRef, tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    adapter = write_ip_adapter(tmp_path / "adapter.safetensors", Path(tiny.source.base))
    said = ["models", "plan", tiny.name, "--size", "128", "--ip-adapter", str(adapter)]
    found = CliRunner().invoke(main, [*said, "--image-encoder", str(tmp_path / "encoder"), "--json"])
    told = json.loads(found.output)
    assert set(told["weights"]) == {"unet", "vae", "text_encoder", "controlnet:tile", "ip_adapter"}
    assert told["reader"] > 0
    rows = CliRunner().invoke(main, [*said, "--image-encoder", str(tmp_path / "encoder")])
    assert ", an image encoder " in rows.output
    alone = CliRunner().invoke(main, said)
    assert (alone.exit_code, "needs an image encoder" in alone.output) == (2, True)


@pytest.mark.parametrize(
    ("option", "value"), [("--size", "x"), ("--size", "0x64"), ("--device-memory", "much"), ("--device-memory", "0GB")]
)
def test_what_is_no_size_is_refused(tiny: ModelRef, option: str, value: str) -> None:
    run = CliRunner().invoke(main, ["models", "plan", tiny.name, option, value])
    assert run.exit_code == 2
    assert f"'{value}' is no" in run.output


def test_how_a_model_cannot_be_loaded_is_refused_to_python_too(tiny: ModelRef) -> None:
    with pytest.raises(SettingError, match="offload is group, and the networks are in host memory on cpu"):
        planned(tiny, loading=Loading(offload="group"))
    with pytest.raises(ModelError, match="cannot be quantised"):
        planned(replace(tiny, traits=replace(tiny.traits, quantizes=False)), loading=Loading(quantize="int8"))


def test_a_device_of_several_is_one_of_its_kind(tiny: ModelRef) -> None:
    for offload in ("none", "model", "group"):
        first, second = (planned(tiny, loading=Loading(device=d, offload=offload)) for d in ("cuda", "cuda:1"))
        assert second.peak_device_bytes == first.peak_device_bytes is not None
        assert second.device == "cuda:1"
    # Memory is short of the same thing on both.
    advice = {planned(tiny, loading=Loading(device=d), memory=1).advice for d in ("cuda", "cuda:1")}
    assert len(advice) == 1


def test_what_waits_on_the_host_is_loaded_and_quantised_there() -> None:
    scene = Scene(height=64, width=64, batch=1, window=1, loading=Loading(device="cuda", offload="model"))
    model = Footprint(
        precision="float16",
        weights={"unet": GB, "vae": GB},
        stored={"unet": 6 * GB, "vae": GB},
        unpacked={"unet": 5 * GB},
        encode=Pass(peak=GB, work=WORK),
        denoise=Pass(peak=GB, work=WORK),
        decode=Pass(peak=GB, work=WORK),
    )
    assert model.loading == 12 * GB
    for offload in ("model", "group"):
        waiting = replace(scene, loading=replace(scene.loading, offload=offload))
        assert peaks(model, waiting, 0).host == BASE_BYTES + 12 * GB
        assert peaks(model, waiting, 20 * GB).host == BASE_BYTES + 22 * GB + 64 * 64 * 125
