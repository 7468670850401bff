"""The kinds of file that people have, through the command line: each renders, or is refused by its true name.

What renders is so small that it takes a second; what is refused is so before a frame is decoded, with exit code 2, and
`--dry-run` says the same. Kinds that other parts of vedit learn to run need no change here: whether a kind runs is
asked of `identify`, and then it has to.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from tests.models.checkpoints import REFUSED, gguf
from tests.models.layouts import sd1_checkpoint, sd2_checkpoint, sdxl_checkpoint, write_sparse
from tests.models.test_loading import write_single_file
from tests.support.clips import FRAMES, two_shots
from tests.support.tiny.t2i import t2i_adapter, write_t2i
from vedit.cli import main
from vedit.media.reading.probe import probe
from vedit.media.reading.reader import VideoReader
from vedit.models.identify import identify
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

Words = list[str]
Make = Callable[[Path], Words]
"""A folder -> the words behind `vedit restyle INPUT -p night`."""


def model(make: Callable[[Path], Path], *words: str) -> Make:
    return lambda folder: ["--model", str(make(folder)), *(words or ("--control", "none"))]


def edited(folder: Path, file: str, **values: object) -> Path:
    """A model's folder with other values in one of its configs."""
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")
    return folder


def controlled(kinds: tuple[str, ...]) -> Make:
    def make(folder: Path) -> Words:
        net = write_tiny_sd(folder / "other", controls=("tile",)) / "controlnet"
        branches = [word for kind in kinds for word in ("--controlnet", f"{kind}={net}", "--control", kind)]
        return ["--model", str(write_tiny_sd(folder / "model", controls=())), *branches]

    return make


def adapted(*sorts: str) -> Make:
    """A T2I-Adapter of the authors' layout, with a ControlNet beside it where one is asked for."""

    def make(folder: Path) -> Words:
        model = write_tiny_sd(folder / "model", controls=("tile",))
        file = write_t2i(folder / "canny.safetensors", t2i_adapter(widths=[32, 64]), "authors")
        kinds = [word for kind in ("canny", *sorts) for word in ("--control", kind)]
        return ["--model", str(model), "--controlnet", f"canny={file}", *kinds]

    return make


def saved_by_diffusers(folder: Path) -> Path:
    """ControlNets in the folder and nothing of vedit's that says so; each has the name that it was loaded from."""
    write_tiny_sd(folder, controls=("tile",))
    (folder / "controls.json").unlink()
    return edited(folder, "controlnet/config.json", _name_or_path="lllyasviel/control_v11f1e_sd15_tile")


def half_alone(folder: Path) -> Path:
    write_tiny_sd(folder, controls=())
    for file in list(folder.rglob("*.safetensors")):
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in load_file(file).items()
        }
        save_file(tensors, file.with_name(f"{file.stem}.fp16.safetensors"))
        file.unlink()
    return folder


def sharded(folder: Path) -> Path:
    file = write_tiny_sd(folder, controls=()) / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    file.unlink()
    names = [f"diffusion_pytorch_model-{n:05}-of-00002.safetensors" for n in (1, 2)]
    homes = {key: names[i % 2] for i, key in enumerate(tensors)}
    for name in names:
        save_file({key: tensor for key, tensor in tensors.items() if homes[key] == name}, file.with_name(name))
    file.with_name(f"{file.name}.index.json").write_text(json.dumps({"weight_map": homes}), "utf-8")
    return folder


def single(folder: Path) -> Path:
    return write_single_file(write_tiny_sd(folder / "tiny", controls=()), folder / "model.safetensors")


def second_single(folder: Path) -> Path:
    tiny = edited(write_tiny_sd(folder / "tiny", controls=()), SCHEDULER, prediction_type="v_prediction")
    return write_single_file(tiny, folder / "model.safetensors")


def turbo(folder: Path) -> Path:
    write_tiny_sd(folder, controls=())
    return edited(folder, SCHEDULER, _class_name="EulerDiscreteScheduler", timestep_spacing="trailing")


def lcm(folder: Path) -> Path:
    write_tiny_sd(folder, controls=())
    config = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    torch.manual_seed(0)
    wide = UNet2DConditionModel.from_config({**config, "time_cond_proj_dim": 16})
    cast("UNet2DConditionModel", wide).save_pretrained(folder / "unet")
    return edited(folder, SCHEDULER, _class_name="LCMScheduler")


def xl_turbo(folder: Path) -> Path:
    write_tiny_sdxl(folder)
    edited(folder, "model_index.json", _name_or_path="stabilityai/sdxl-turbo")
    return edited(folder, SCHEDULER, _class_name="EulerDiscreteScheduler", timestep_spacing="trailing")


def refused(kind: str) -> Make:
    return model(REFUSED[kind][0])


def sparse(shapes: dict[str, Any]) -> Make:
    return model(lambda folder: write_sparse(folder / "model.safetensors", shapes))


SCHEDULER = "scheduler/scheduler_config.json"
RENDERS: dict[str, Make] = {
    "SD 1.5 folder": model(lambda folder: write_tiny_sd(folder, controls=())),
    "with a ControlNet": controlled(("tile",)),
    "with two ControlNets": controlled(("tile", "softedge")),
    "with a T2I-Adapter": adapted(),
    "with a T2I-Adapter and a ControlNet": adapted("tile"),
    "folder with controlnet/ of diffusers": model(saved_by_diffusers, "--control", "tile"),
    "SD 1.5, fp16 variant": model(half_alone),
    "SD 1.5, sharded": model(sharded),
    "SD 1.5 single file, configs beside": model(single),
    "SD 2.1 v folder": model(
        lambda folder: edited(write_tiny_sd(folder, controls=()), SCHEDULER, prediction_type="v_prediction")
    ),
    "SD 2.1 single file, configs beside": model(second_single),
    "SD-Turbo folder": model(turbo),
    "SD-Turbo folder, with guidance": lambda folder: [*model(turbo)(folder), "--guidance", "1"],
}
"""What renders, whatever else comes."""
MAY: dict[str, tuple[Make, str]] = {
    "LCM folder": (model(lcm), "a latent consistency model"),
    "SDXL folder": (model(lambda folder: write_tiny_sdxl(folder)), "Stable Diffusion XL"),
    "SDXL-Turbo folder": (model(xl_turbo), "Stable Diffusion XL Turbo"),
}
"""What renders where `identify` says that it runs, and else is refused by this name."""
NAMED: dict[str, tuple[Make, str]] = {
    "SD 1.5 inpaint": (refused("SD 1.5 inpainting, folder"), "Stable Diffusion 1.x, for inpainting"),
    "InstructPix2Pix": (refused("InstructPix2Pix, folder"), "InstructPix2Pix"),
    "SD 2.1 single file, true size": (sparse(sd2_checkpoint()), "Stable Diffusion 2.x"),
    "motion adapter": (refused("motion adapter, folder"), "a motion adapter of AnimateDiff"),
    "ControlNet folder as a model": (refused("ControlNet, folder"), "a ControlNet for Stable Diffusion 1.x"),
    "T2I-Adapter as a model": (refused("T2I-Adapter, file"), "a T2I-Adapter for Stable Diffusion 1.x"),
    "LoRA as a model": (refused("LoRA of kohya"), "a LoRA for Stable Diffusion 1.x"),
    "IP-Adapter as a model": (refused("IP-Adapter"), "an IP-Adapter for Stable Diffusion 1.x"),
    "Wan 2.1 VACE folder": (refused("Wan 2.1 VACE, folder"), "Wan 2.1 VACE"),
    "Wan 2.2 VACE folder": (refused("Wan 2.2 VACE, folder"), "Wan 2.2 VACE"),
    "Wan 2.2 T2V folder": (refused("Wan 2.2 text to video, folder"), "Wan 2.2 text to video"),
    "LTX-Video folder": (refused("LTX-Video, folder"), "LTX-Video"),
    "CogVideoX folder": (refused("CogVideoX, folder"), "CogVideoX"),
    "Wan GGUF": (model(gguf("wan")), "a GGUF file of Wan"),
}
"""What is refused, whatever else comes, and its name."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return two_shots(tmp_path / "in.mov")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Whatever frames were decoded."""
    found: list[object] = []
    decode = VideoReader._decoded  # pyright: ignore[reportPrivateUsage]

    def record(self: VideoReader, *args: Any) -> Any:
        found.append(args)
        return decode(self, *args)

    monkeypatch.setattr(VideoReader, "_decoded", record)
    return found


def restyle(clip: Path, *words: str) -> int:
    said = ["restyle", str(clip), "-p", "night", "--quality", "draft", "--steps", "2"]
    return int(cast("int", main([*said, *words, "--overwrite"], standalone_mode=False)))


def check_renders(clip: Path, words: Words, capsys: pytest.CaptureFixture[str]) -> None:
    output = clip.with_name("out.mov")
    assert restyle(clip, *words, "--dry-run", "--json") == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["frames"] == FRAMES
    assert restyle(clip, *words, "-o", str(output)) == 0, capsys.readouterr().err
    assert probe(output).declared_frames == FRAMES
    assert "fault of vedit" not in capsys.readouterr().err


def check_refused(
    clip: Path, words: Words, name: str, decoded: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    capsys.readouterr()  # of what made the model
    for more in (["--dry-run"], []):
        assert restyle(clip, *words, *more) == 2
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert name in said[0] and "fault of vedit" not in said[0]
    assert len(said[0].splitlines()) == 1
    assert decoded == [], "not a frame was decoded"


@pytest.mark.parametrize("kind", RENDERS)
def test_it_renders(kind: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_renders(clip, RENDERS[kind](tmp_path / "model"), capsys)


@pytest.mark.parametrize("kind", MAY)
def test_it_renders_where_it_runs(
    kind: str, clip: Path, tmp_path: Path, decoded: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    make, name = MAY[kind]
    words = make(tmp_path / "model")
    if identify(Path(words[1])).runs:
        check_renders(clip, words, capsys)
    else:
        check_refused(clip, words, name, decoded, capsys)


@pytest.mark.parametrize("kind", NAMED)
def test_it_is_refused_by_its_name(
    kind: str, clip: Path, tmp_path: Path, decoded: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    make, name = NAMED[kind]
    (tmp_path / "model").mkdir()
    check_refused(clip, make(tmp_path / "model"), name, decoded, capsys)


@pytest.mark.parametrize(
    ("shapes", "code", "name"),
    [(sd1_checkpoint(), 0, ""), (sdxl_checkpoint(), None, "Stable Diffusion XL")],
    ids=["SD 1.5", "SDXL"],
)
def test_a_true_size_single_file_without_configs(
    shapes: dict[str, Any], code: int | None, name: str, clip: Path, tmp_path: Path, decoded: list[object]
) -> None:
    """In a process of its own, of which the memory is measured: what its render takes is the weights' size."""
    tiny = write_tiny_sd(tmp_path / "tiny", controls=())
    file = write_sparse(tmp_path / "model.safetensors", shapes)
    (tmp_path / "model").mkdir()
    (tiny / "tokenizer").rename(tmp_path / "model" / "tokenizer")
    found, used, said = apart(clip, "--model", str(file), "--control", "none", "--dry-run")
    assert found == (code if code is not None else 2 if not identify(file).runs else found)
    assert name in said or found == 0
    # A refusal ends before torch is loaded; a first plan imports what builds networks and measures the machine.
    assert "fault of vedit" not in said and used < 700
    if not found:
        again, less, _ = apart(clip, "--model", str(file), "--control", "none", "--dry-run")
        assert again == 0 and less < 450, "a second one builds none"


@pytest.mark.parametrize("kind", ["Wan 2.1 VACE folder", "LoRA as a model", "Wan GGUF"])
def test_a_refusal_takes_less_than_600_mb(kind: str, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    code, used, said = apart(clip, *NAMED[kind][0](tmp_path / "model"))
    assert (code, "fault of vedit" in said) == (2, False)
    assert used < 600


def apart(clip: Path, *words: str) -> tuple[int, float, str]:
    """The exit code of a render in a process of its own, the most memory that it held in MB, and what it said."""
    program = (
        "import sys\n"
        "from vedit.cli import main\n"
        "code = main(sys.argv[1:], standalone_mode=False)\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "used = next(line for line in lines if line.startswith('VmHWM')).split()[1]\n"
        "print(f'{code} {int(used) * 1024}')"
    )
    said = ["restyle", str(clip), "-p", "night", "--quality", "draft", "--steps", "2", "--overwrite"]
    done = subprocess.run([sys.executable, "-c", program, *said, *words], capture_output=True, text=True, check=False)
    code, used = done.stdout.splitlines()[-1].split()
    return int(code), int(used) / 1e6, done.stderr
