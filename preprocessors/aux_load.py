"""Networks of controlnet-aux, taken one at a time, with weights of our own loading.

controlnet-aux imports all its detectors at once, and with them torchvision, timm and scikit-image, and fills them from
pickles. Here only the module that defines a network is imported, under a name of its own, so that none of the three is
needed; the weights are safetensors, listed in `vedit.weights.store`; sizes and scaling are done here. What each network
is fed and how its output is read follows its detector in controlnet-aux 0.0.10, without the rounding to bytes.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from vedit.errors import InputError
from vedit.weights.store import load_from, local

PACKAGE = "controlnet_aux"
SHORT_SIDE = 512
"""Pixels at which the detectors look at a frame."""
_MULTIPLE = 64
_ALIAS = "_vedit_controlnet_aux"
_INSTALL = "run: pip install --no-deps controlnet-aux && pip install einops scipy"
_BATCH_ON_GPU = 8

Network = Callable[[torch.Tensor], Any]


def import_part(part: str) -> ModuleType:
    """A module of controlnet-aux, dotted below the package, without running the `__init__` of any package above it.

    The package itself stays as it is in `sys.modules`: what is imported here has another name.

    Raises:
        InputError: controlnet-aux, or a package that this very module needs, is not installed or is broken.
    """
    parents = part.split(".")[:-1]
    name, folders = _ALIAS, _folders()
    for below in ("", *parents):
        if below:
            name, folders = f"{name}.{below}", [str(Path(folder) / below) for folder in folders]
        if name not in sys.modules:
            package = ModuleType(name)
            package.__path__ = folders
            sys.modules[name] = package
    before = os.environ.get("KMP_DUPLICATE_LIB_OK")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return import_module(f"{_ALIAS}.{part}")
    except ImportError as error:
        lacking = str(error.name or error)
        raise InputError(
            f"{PACKAGE}.{part} needs {lacking}, which cannot be imported", remedy=_remedy(lacking)
        ) from error
    except RuntimeError as error:  # a torchvision that was built for another torch fails so
        reason = str(error).splitlines()[0]
        raise InputError(f"{PACKAGE}.{part} cannot be imported: {reason}", remedy="run: vedit doctor") from error
    finally:
        if before is None:  # two of its modules set it for the whole process
            os.environ.pop("KMP_DUPLICATE_LIB_OK", None)
        else:
            os.environ["KMP_DUPLICATE_LIB_OK"] = before


def _folders() -> list[str]:
    """Where controlnet-aux lies. Raises InputError where it does not."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError("controlnet-aux is not installed", remedy=_INSTALL)
    return list(found.submodule_search_locations)


def _remedy(lacking: str) -> str:
    if lacking.split(".")[0] in ("torchvision", "timm"):
        cpu = "pip install torchvision --index-url https://download.pytorch.org/whl/cpu"
        return f"run: {cpu}" if torch.version.cuda is None else "run: pip install 'vedit[controlnet-aux]'"
    return _INSTALL


def network(name: str, build: Callable[[], nn.Module], device: torch.device, *, flat: bool = False) -> Network:
    """A network in evaluation mode with the weights of that name, kept for the next call.

    Args:
        name: of the weights.
        build: makes the network, with any numbers in it; a function of a module, so that it tells networks apart.
        device: where it runs.
        flat: the file's names lack the first part of the network's own names.

    Raises:
        InputError: see `import_part`.
        ModelError: the weights are absent, damaged, or of another network.
    """
    _folders()  # before the weights: who lacks both should hear of the package first
    return _filled(name, build, str(local(name)), str(device), flat)


@lru_cache(maxsize=2)
def _filled(name: str, build: Callable[[], nn.Module], folder: str, device: str, flat: bool) -> nn.Module:
    # Numbers that are drawn only to be overwritten must not move the user's random state.
    with torch.random.fork_rng(devices=[]):
        model = build()

    def fill(folder: Path) -> nn.Module:
        from safetensors.torch import load_file

        state = load_file(folder / "model.safetensors")
        if flat:
            state = {key: state[inner] for key in model.state_dict() if (inner := key.partition(".")[2]) in state}
        model.load_state_dict(state)
        return model.eval().requires_grad_(False).to(device)

    return load_from(name, fill)


def on_frames(
    frames: torch.Tensor, look: Callable[[torch.Tensor], torch.Tensor], *, short_side: int = SHORT_SIDE
) -> torch.Tensor:
    """Run a detector at its own size and bring its maps to the exact size of the frames.

    Args:
        frames: float (T, 3, H, W) in [0, 1].
        look: frames (N, 3, h, w) in [0, 1], both sides multiples of 64 -> maps (N, 1 or 3, h', w') in [0, 1].
        short_side: about how many pixels the shorter side has there.

    Returns:
        (T, 3, H, W) in [0, 1], of the frames' type.
    """
    if not len(frames):
        return frames.clone()
    height, width = frames.shape[-2:]
    scale = short_side / min(height, width)
    size = tuple(max(1, round(side * scale / _MULTIPLE)) * _MULTIPLE for side in (height, width))
    # One at a time is as fast on a CPU, and then a frame's map cannot depend on which frames came with it.
    made = [
        _resized(look(_resized(part.float(), size)), (height, width))
        for part in frames.split(1 if frames.device.type == "cpu" else _BATCH_ON_GPU)
    ]
    return torch.cat(made).to(frames).expand_as(frames).contiguous()


def _resized(frames: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    if tuple(frames.shape[-2:]) == size:
        return frames.clamp(0, 1)
    return F.interpolate(frames, size, mode="bilinear", antialias=True).clamp(0, 1)


def class_of(part: str, name: str) -> Callable[..., nn.Module]:
    """A class of a part. Raises InputError: see `import_part`; or the part has no such class."""
    module = import_part(part)
    if not hasattr(module, name):
        raise InputError(f"{PACKAGE}.{part} has no {name}", remedy="run: pip install --no-deps controlnet-aux==0.0.10")
    return cast("Callable[..., nn.Module]", getattr(module, name))
