"""Whether the installed torchvision fits the installed torch, found out without importing either.

vedit does not need torchvision. But where one is installed, transformers and diffusers import it; and a wheel of
another build than torch (one for CUDA beside a torch for the CPU is what `pip install torchvision` brings) dies at
import with `operator torchvision::nms does not exist`, and takes nearly every model class of theirs with it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_MINOR_AHEAD = 15
"""torchvision 0.(n + 15) is built for torch 2.n."""
_PATIENCE = 300
"""Seconds that an import may take, on a network drive for instance."""


@dataclass(frozen=True, kw_only=True)
class VisionFault:
    """A torchvision that cannot work, and what to do about it."""

    message: str
    remedy: str


def written_version(package: str) -> str | None:
    """`__version__` as a package's version.py has it, build tag included; None where it is absent or says none.

    The metadata of an installed distribution may lack the build tag.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).with_name("version.py")
    found = re.search(r"""^__version__\s*=\s*['"]([^'"]+)""", file.read_text("utf-8"), re.M) if file.is_file() else None
    return found.group(1) if found else None


def vision_fault() -> VisionFault | None:
    """What is wrong by the versions alone; None where torchvision is absent or fits."""
    torch, vision = written_version("torch"), written_version("torchvision")
    if torch is None or vision is None:
        return None
    torch_release, _, torch_build = torch.partition("+")
    vision_release, _, vision_build = vision.partition("+")
    known = all(re.fullmatch(r"cpu|cu\d+|rocm[\d.]+|xpu", build) for build in (torch_build, vision_build))
    pair = _wheel_for(torch_release)
    fits = pair is None or vision_release.split(".")[:2] == pair.split(".")
    if fits and (not known or torch_build == vision_build):
        return None
    return _fault(torch, vision, "is a wheel of another build than")


def import_fault() -> VisionFault | None:
    """What is wrong by trying: torchvision imported in a process of its own; None where absent or healthy."""
    if find_spec("torchvision") is None:
        return None
    _, reason = ask_apart("import torchvision")
    if not reason:
        return None
    torch, vision = written_version("torch") or "?", written_version("torchvision") or "?"
    return _fault(torch, vision, f"cannot be imported ({reason}) beside")


def ask_apart(code: str, *words: str) -> tuple[str, str]:
    """What code prints last in a Python process of its own that sees the same packages, and, where it fails, why."""
    command = [sys.executable, "-P", "-c", code, *words]
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
            env={**os.environ, "PYTHONPATH": paths},
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {_PATIENCE} s"
    if done.returncode == 0:
        return (done.stdout.strip().splitlines() or [""])[-1], ""
    ended = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return "", (done.stderr.strip().splitlines() or [ended])[-1][:160]


def _fault(torch: str, vision: str, what: str) -> VisionFault:
    release, _, build = torch.partition("+")
    pair = _wheel_for(release)
    wheel = f"torchvision=={pair}.*" if pair else "torchvision"
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return VisionFault(
        message=f"torchvision {vision} {what} torch {torch}, which breaks transformers and diffusers",
        remedy=f"run: pip uninstall torchvision (vedit does not need it); or, for what does: "
        f"pip install --force-reinstall --no-deps '{wheel}'{index}",
    )


def _wheel_for(torch_release: str) -> str | None:
    """`2.13.0` -> `0.28`; None for another major version."""
    found = re.match(r"2\.(\d+)", torch_release)
    return f"0.{int(found.group(1)) + _MINOR_AHEAD}" if found else None
