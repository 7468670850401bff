"""The detectors of controlnet-aux around stand-in networks: what they are fed, how their output is read, what is told.

The stand-ins lie where controlnet-aux keeps its networks, in a package of that name whose own `__init__` fails, as the
real one does without torchvision. `test_aux_networks.py` runs the real networks where controlnet-aux is installed.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vedit.errors import InputError, ModelError
from vedit.preprocessors import aux_load
from vedit.preprocessors.aux_edges import hed, pidi, teed
from vedit.preprocessors.aux_lines import lineart, lineart_anime, mlsd, straight_lines
from vedit.preprocessors.aux_load import import_part, on_frames
from vedit.preprocessors.aux_normal import normal
from vedit.preprocessors.aux_openpose import openpose
from vedit.preprocessors.pose_draw import COLORS
from vedit.registry.preprocessors import load_preprocessor, preprocessors

_SEEN = """
import torch
class Seen(torch.nn.Module):
    calls = []
    def __init__(self, *arguments, **named):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.rand(1))
    def see(self, x):
        Seen.calls.append(x)
        return x
"""
_FILES = {
    "__init__.py": "raise ImportError('the whole package needs torchvision', name='torchvision')",
    "seen.py": _SEEN,
    "hed/__init__.py": """
from ..seen import Seen
class ControlNetHED_Apache2(Seen):
    def forward(self, x):
        x = self.see(x)[:, :1] / 255 * self.gain
        return [x * k for k in range(4)] + [x[..., ::2, ::2] * 4]
""",
    "pidi/__init__.py": "raise ImportError(name='einops')",
    "pidi/model.py": """
from ..seen import Seen
class Pidi(Seen):
    def forward(self, x):
        return [x * 0, self.see(x)[:, :1] * self.gain]
def pidinet():
    return Pidi()
""",
    "teed/ted.py": """
from ..seen import Seen
class TED(Seen):
    def forward(self, x):
        return [self.see(x)[:, 1:2] * 0.01 * self.gain] * 4
""",
    "lineart/__init__.py": """
from ..seen import Seen
class Generator(Seen):
    def forward(self, x):
        return self.see(x)[:, :1] * self.gain
""",
    "lineart_anime/__init__.py": """
from ..seen import Seen
class UnetGenerator(Seen):
    def forward(self, x):
        return self.see(x)[:, :1] * self.gain
""",
    "mlsd/models/mbv2_mlsd_large.py": """
import torch
from ...seen import Seen
class MobileV2_MLSD_Large(Seen):
    def forward(self, x):
        self.see(x)
        maps = torch.zeros(len(x), 9, x.shape[2] // 2, x.shape[3] // 2)
        maps[:, 0] = -9
        maps[:, 0, 64, 100] = 9 * self.gain
        maps[:, 1:5, 64, 100] = torch.tensor([-80.0, 0, 80, 0])
        return maps
""",
    "normalbae/__init__.py": "import torchvision_that_is_not_there",
    "normalbae/nets/NNET.py": """
from ...seen import Seen
class NNET(Seen):
    def __init__(self, args):
        super().__init__()
        print('Loading base model')
        assert args.architecture == 'BN'
    def forward(self, x):
        self.see(x)
        return [[x[:, :1], x.repeat(1, 2, 1, 1)[:, :4] * 0 + self.gain * 2 - 1]]
""",
    "open_pose/model.py": """
import torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model0 = torch.nn.Module()
        self.model0.gain = torch.nn.Parameter(torch.rand(1))
def bodypose_model():
    return Model()
""",
    "open_pose/util.py": "from .body import Body",
    "open_pose/body.py": """
import os
import runpy
os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'
import numpy as np
from types import SimpleNamespace as Told
from . import util
class Body:
    def __init__(self, path):
        raise AssertionError('this would read a pickle')
    def __call__(self, image):
        assert image.dtype == np.uint8 and image.ndim == 3
        Body.image = image
        return np.array([[0.25, 0.5]]), np.array([[0]])
    @staticmethod
    def format_body_result(candidate, subset):
        height, width = Body.image.shape[:2]
        points = [None] * 18
        points[0] = Told(x=candidate[0, 0] * width, y=candidate[0, 1] * height)
        return [Told(keypoints=points)] if Body.image[..., 2].mean() > 100 else []
""",
}
# What is asked for, its weights, the network's own name of its one weight.
DETECTORS: dict[str, tuple[Callable[..., torch.Tensor], str]] = {
    "softedge-hed": (hed, "hed"),
    "softedge-pidi": (pidi, "pidinet"),
    "softedge-teed": (teed, "teed"),
    "lineart-aux": (lineart, "lineart"),
    "lineart-anime": (lineart_anime, "lineart-anime"),
    "mlsd": (mlsd, "mlsd"),
    "normal": (normal, "normalbae"),
    "pose-openpose": (openpose, "openpose-body"),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand-ins for controlnet-aux, and weights of gain 1 for all of them."""
    for name, code in _FILES.items():
        path = tmp_path / "site" / "controlnet_aux" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, "utf-8")
    for _, name in DETECTORS.values():
        (tmp_path / "weights" / name).mkdir(parents=True)
        save_file({"gain": torch.ones(1)}, tmp_path / "weights" / name / "model.safetensors")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.startswith(aux_load._ALIAS)]:  # pyright: ignore[reportPrivateUsage]
        del sys.modules[name]
    aux_load._filled.cache_clear()  # pyright: ignore[reportPrivateUsage]


def seen() -> list[torch.Tensor]:
    """What the networks were fed since the last time."""
    calls: list[torch.Tensor] = import_part("seen").Seen.calls
    fed, calls[:] = list(calls), []
    return fed


def flat(count: int, height: int, width: int, color: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(color).view(1, 3, 1, 1).expand(count, 3, height, width).clone()


@pytest.mark.parametrize("kind", list(DETECTORS))
@pytest.mark.parametrize("size", [(97, 131), (64, 64), (33, 200)])
@pytest.mark.usefixtures("package")
def test_contract(kind: str, size: tuple[int, int]) -> None:
    frames = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    before, state, variables = frames.clone(), torch.get_rng_state(), dict(os.environ)
    modules, default = set(sys.modules), torch.get_default_dtype()
    made = torch.cat(list(load_preprocessor(kind)([frames])))
    assert made.shape == frames.shape and made.dtype == frames.dtype
    assert float(made.min()) >= 0 and float(made.max()) <= 1
    assert torch.equal(frames, before) and torch.equal(torch.get_rng_state(), state)
    assert dict(os.environ) == variables and torch.get_default_dtype() == default
    assert not {name for name in set(sys.modules) - modules if name.split(".")[0] == "controlnet_aux"}
    assert torch.equal(torch.cat(list(load_preprocessor(kind)(frames.split(1)))), made)
    assert len(DETECTORS[kind][0](frames[:0])) == 0


@pytest.mark.usefixtures("package")
def test_the_network_s_size_is_a_multiple_of_64_about_512() -> None:
    hed(torch.rand(1, 3, 97, 131))
    hed(torch.rand(1, 3, 720, 1280))
    assert [tuple(fed.shape) for fed in seen()] == [(1, 3, 512, 704), (1, 3, 512, 896)]


@pytest.mark.usefixtures("package")
def test_what_each_network_is_fed_and_how_it_is_read() -> None:
    """A flat colour, whose way through every network's scaling is known by hand."""
    color = (0.2, 0.4, 0.8)
    frames = flat(1, 64, 64, color)
    red, green, blue = (torch.tensor(c) for c in color)

    assert float(hed(frames)[0, 0, 30, 30]) == pytest.approx(
        float(torch.sigmoid(red * (0 + 1 + 2 + 3 + 4) / 5)), abs=1e-4
    )
    assert seen()[0][0, :, 5, 5].tolist() == pytest.approx([51, 102, 204], abs=1e-3)
    assert float(pidi(frames)[0, 0, 30, 30]) == pytest.approx(float(blue), abs=1e-5)
    assert seen()[0][0, :, 5, 5].tolist() == pytest.approx([0.8, 0.4, 0.2])
    assert float(teed(frames)[0, 0, 30, 30]) == pytest.approx(float(torch.sigmoid(green * 2.55)), abs=1e-4)
    assert seen()[0][0, :, 5, 5].tolist() == pytest.approx([51, 102, 204], abs=1e-3)
    assert float(lineart(frames)[0, 0, 30, 30]) == pytest.approx(1 - float(red), abs=1e-5)
    assert seen()[0][0, :, 5, 5].tolist() == pytest.approx(list(color))
    assert float(lineart_anime(frames)[0, 0, 30, 30]) == pytest.approx(1 - float(red), abs=1e-5)
    assert seen()[0][0, :, 5, 5].tolist() == pytest.approx([-0.6, -0.2, 0.6], abs=1e-5)
    assert normal(frames)[0, :, 30, 30].tolist() == pytest.approx([1, 1, 1])
    mean, spread = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    wanted = [(c - m) / s for c, m, s in zip(color, mean, spread, strict=True)]
    assert seen()[0][0, :, 5, 5].tolist() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.usefixtures("package")
def test_anime_lines_want_multiples_of_256() -> None:
    lineart_anime(torch.rand(1, 3, 64, 90))
    assert tuple(seen()[0].shape) == (1, 3, 512, 768)


@pytest.mark.usefixtures("package")
def test_straight_lines_are_drawn_where_they_are() -> None:
    made = mlsd(flat(2, 512, 512, (0.2, 0.4, 0.8)))
    fed = seen()[0]
    assert fed[0, :, 0, 0].tolist() == pytest.approx([51 / 127.5 - 1, 102 / 127.5 - 1, 204 / 127.5 - 1, 1 / 127.5 - 1])
    rows, columns = (made[1, 0] > 0).nonzero().T
    assert rows.unique().tolist() == [128] and (int(columns.min()), int(columns.max())) == (40, 360)


def test_lines_are_told_by_score_length_and_place() -> None:
    maps = torch.zeros(1, 5, 16, 16)
    maps[0, 0] = -5
    for x, y, likely, length in ((4, 4, 3.0, 3.0), (5, 4, 2.0, 3.0), (10, 12, -1.0, 3.0), (12, 3, 3.0, 0.01)):
        maps[0, 0, y, x] = likely
        maps[0, 1:, y, x] = torch.tensor([-length, 0.0, length, 0.0])
    found = straight_lines(maps, 0.1, 0.1)[0]
    # Of two neighbours the likelier counts; a line without length is none.
    assert found.tolist() == [[2.0, 8.0, 14.0, 8.0], [14.0, 24.0, 26.0, 24.0]]
    assert len(straight_lines(maps, 0.5, 0.1)[0]) == 1 and len(straight_lines(maps - 99, 0.1, 0.1)[0]) == 0


@pytest.mark.usefixtures("package")
def test_openpose_is_drawn_in_the_frame_s_own_pixels() -> None:
    made = openpose(flat(1, 100, 240, (0.9, 0.1, 0.1)))
    assert (made[0, :, 50, 60] * 255).round().int().tolist() == list(COLORS[0])
    assert float(openpose(flat(1, 100, 240, (0.1, 0.9, 0.9))).sum()) == 0  # red, not blue, is what it was told by


def test_on_frames_resizes_exactly_and_keeps_the_type() -> None:
    half = torch.rand(3, 3, 50, 81).double()
    made = on_frames(half, lambda part: part[:, :1] * 2)
    assert made.shape == half.shape and made.dtype == torch.float64 and float(made.max()) <= 1


def test_absent_weights_are_told_in_one_line(package: Path) -> None:
    (package / "weights" / "hed" / "model.safetensors").unlink()
    with pytest.raises(ModelError) as told:
        hed(torch.rand(1, 3, 64, 64))
    message = str(told.value)
    assert "\n" not in message
    for part in (
        "29 MB",
        "Apache-2.0",
        "ControlNetHED.pth",
        "lllyasviel/Annotators",
        "examples/convert_annotator.py hed",
    ):
        assert part in message


def test_weights_of_another_network_are_told(package: Path) -> None:
    save_file({"other": torch.ones(1)}, package / "weights" / "teed" / "model.safetensors")
    with pytest.raises(ModelError, match="teed"):
        teed(torch.rand(1, 3, 64, 64))


def test_a_pickle_is_not_read(package: Path) -> None:
    folder = package / "weights" / "mlsd"
    (folder / "model.safetensors").rename(folder / "mlsd_large_512_fp32.pth")
    with pytest.raises(ModelError, match="pickle"):
        mlsd(torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("lacking", "cuda", "remedy"),
    [
        ("torchvision", None, "download.pytorch.org/whl/cpu"),
        ("torchvision", "13.0", "vedit[controlnet-aux]"),
        ("einops", None, "pip install einops"),
    ],
)
def test_a_missing_package_is_named(
    lacking: str, cuda: str | None, remedy: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    (package / "site" / "controlnet_aux" / "teed" / "ted.py").write_text(
        f"raise ImportError(name={lacking!r})", "utf-8"
    )
    with pytest.raises(InputError) as told:
        teed(torch.rand(1, 3, 64, 64))
    assert lacking in str(told.value) and remedy in str(told.value) and "\n" not in str(told.value)


def test_a_torchvision_of_another_torch_is_told(package: Path) -> None:
    code = "raise RuntimeError('operator torchvision::nms does not exist')"
    (package / "site" / "controlnet_aux" / "teed" / "ted.py").write_text(code, "utf-8")
    with pytest.raises(InputError, match=r"torchvision::nms.*vedit doctor"):
        teed(torch.rand(1, 3, 64, 64))


def test_without_controlnet_aux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aux_load, "PACKAGE", "a_package_that_is_nowhere")
    forget()
    for detector, _ in DETECTORS.values():
        with pytest.raises(InputError, match=r"controlnet-aux is not installed; run: pip install --no-deps"):
            detector(torch.rand(1, 3, 64, 64))


def test_they_are_listed_with_their_branches() -> None:
    listed = {entry.name: entry for entry in preprocessors()}
    branches = {kind: listed[kind].branch or kind for kind in DETECTORS}
    assert branches == {
        "softedge-hed": "softedge",
        "softedge-pidi": "softedge",
        "softedge-teed": "softedge",
        "lineart-aux": "lineart",
        "lineart-anime": "lineart-anime",
        "mlsd": "mlsd",
        "normal": "normal",
        "pose-openpose": "pose",
    }
    for kind, (_, weights) in DETECTORS.items():
        assert listed[kind].needs.weights == (weights,) and listed[kind].needs.extra == "controlnet-aux"


def convert(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """The example that turns a published pickle to safetensors, as a user runs it."""
    script = Path(__file__).parents[2] / "examples" / "convert_annotator.py"
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize(
    "published",
    [
        {"gain": torch.ones(1)},
        {"state_dict": {"module.gain": torch.ones(1)}, "epoch": 3},
        {"model": {"gain": torch.ones(1)}},
    ],
)
def test_a_converted_pickle_is_loaded(
    published: dict[str, object], package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "weights" / "teed" / "model.safetensors").unlink()
    torch.save(published, package / "5_model.pth")
    convert(monkeypatch, "teed", str(package / "5_model.pth"), str(package / "weights"))
    assert teed(torch.rand(1, 3, 64, 64)).shape == (1, 3, 64, 64)


class Unsafe:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("run_by_a_pickle",)


def test_a_pickle_that_would_run_code_is_not_converted(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(package)
    torch.save({"gain": torch.ones(1), "more": Unsafe()}, "unsafe.pth")
    with pytest.raises(Exception, match=r"[Ww]eights_only"):
        convert(monkeypatch, "teed", "unsafe.pth", "weights")
    assert not (package / "run_by_a_pickle").exists()
