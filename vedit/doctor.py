"""What `vedit doctor` finds out about this installation: what is there, what is broken, and how to mend it.

Nothing is imported here that a broken installation could take the examination down with: what may fail to import is
imported in a process of its own.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from vedit import __version__
from vedit.errors import ModelError, VeditError
from vedit.models.local_models import local_models
from vedit.registry.attention import attention_methods
from vedit.registry.entry import Entry, Registry
from vedit.registry.families import families
from vedit.registry.metrics import metrics
from vedit.registry.pipelines import pipelines
from vedit.registry.preprocessors import preprocessors
from vedit.registry.shot_detectors import shot_detectors
from vedit.registry.upscalers import upscalers
from vedit.store.cache_folder import (
    AGE,
    LIMIT,
    cache_folder,
    cache_root,
    held,
    keeps_nothing,
    limit_bytes,
    oldest_seconds,
)
from vedit.store.kept_table import BFLOAT16, COSTS, DIGESTS, FINDINGS, RATES
from vedit.weights import torchvision as vision_wheel
from vedit.weights.large_files import parts
from vedit.weights.store import FOLDER_VARIABLE, altered, find, known_weights, own_folders, remedy, revision, terms

State = Literal["ok", "note", "broken"]

DETECTORS = {
    "softedge-hed": ("hed",),
    "softedge-pidi": ("pidi.model",),
    "softedge-teed": ("teed.ted",),
    "lineart-aux": ("lineart",),
    "lineart-anime": ("lineart_anime",),
    "mlsd": ("mlsd.models.mbv2_mlsd_large",),
    "normal": ("normalbae.nets.NNET",),
    "pose-openpose": ("open_pose.util", "open_pose.body"),
}
"""Preprocessors that use controlnet-aux -> the modules of it that each imports."""
PARTS = {
    "model families": families,
    "pipelines": pipelines,
    "attention methods": attention_methods,
    "preprocessors": preprocessors,
    "shot detectors": shot_detectors,
    "upscalers": upscalers,
    "metrics": metrics,
}
"""What plug-ins bring, and what lists it."""
TABLES = {
    COSTS: ("measured here", "by which estimates go"),
    RATES: ("measured here", "by which estimates go for models that never ran here"),
    BFLOAT16: ("measured here", "by which this processor computes in bfloat16 or in float32 unless it is told"),
    DIGESTS: ("found out here", "so that large files are hashed once"),
    FINDINGS: ("found out here", "so that no network is built to plan for a model again"),
}
"""Small files that are kept beside what renders share -> what is in them, and what for."""
_FEW = 6
"""Names of vedit's own parts of a kind that are all said."""
_LITTLE_SPACE = 2_000_000_000
"""Bytes: a minute of 1080p control maps and a few weights fill it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    """`broken` makes vedit, or what was installed for it, fail; a `note` is worth knowing."""
    found: str
    remedy: str = ""


def examine() -> tuple[Finding, ...]:
    """Look at everything; takes some seconds, as torch is imported. Never touches the network and changes nothing."""
    return (
        *_python(),
        *_torch(),
        *_requirements(),
        *_opencv(),
        *_torchvision(),
        *_decord(),
        *_controlnet_aux(),
        *_encoders(),
        *_parts(),
        *_weights(),
        *_models(),
        *_unfinished(),
        *_kept(),
        *_space(),
        *_settings(),
    )


def healthy(findings: tuple[Finding, ...]) -> bool:
    """Whether nothing is broken."""
    return all(finding.state != "broken" for finding in findings)


def _python() -> Iterator[Finding]:
    yield Finding(name="vedit", state="ok", found=__version__)
    running = platform.python_version()
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding(
        name="python",
        state="ok" if fits else "broken",
        found=f"{running} on {platform.system()} {platform.machine()}",
        remedy="" if fits else "install Python 3.11, 3.12 or 3.13",
    )


def _torch() -> Iterator[Finding]:
    told = "{'cuda': torch.cuda.is_available(), 'names': [torch.cuda.get_device_name(i) for i in range(n)], 'mps': m}"
    code = "n = torch.cuda.device_count(); m = torch.backends.mps.is_available()"
    answer, fault = vision_wheel.ask_apart(f"import json, torch; {code}; print(json.dumps({told}))")
    if fault:
        again = "pip install --force-reinstall torch, from the index that fits this machine"
        yield Finding(name="torch build", state="broken", found=fault, remedy=f"run: {again}")
        return
    facts = json.loads(answer)
    device = ", ".join(facts["names"]) if facts["cuda"] else "MPS" if facts["mps"] else "CPU alone"
    yield Finding(name="torch build", state="ok", found=f"{vision_wheel.written_version('torch')}, {device}")


def _requirements() -> Iterator[Finding]:
    """The distributions that vedit cannot do without, held against what it asks of them."""
    from packaging.requirements import Requirement

    try:
        asked = [Requirement(line) for line in requires("vedit") or []]
    except PackageNotFoundError:
        yield Finding(
            name="dependencies",
            state="note",
            found="vedit runs from a folder, so what it asks for is not known",
            remedy="run: pip install -e . in that folder",
        )
        return
    for requirement in asked:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(requirement.name)
        except PackageNotFoundError:
            there = ""
        fits = bool(there) and requirement.specifier.contains(there, prereleases=True)
        yield Finding(
            name=requirement.name,
            state="ok" if fits else "broken",
            found=there or "absent"
            if fits
            else f"{there or 'absent'}, but vedit needs {requirement.specifier or 'it'}",
            remedy="" if fits else f"run: pip install '{requirement}'",
        )


def _opencv() -> Iterator[Finding]:
    """Every flavour of OpenCV writes the same folder cv2/: two of them overwrite each other."""
    kinds = re.compile(r"opencv[-_](contrib[-_])?python([-_]headless)?", re.I)
    flavours = sorted({d.metadata["Name"] for d in distributions() if kinds.fullmatch(d.metadata["Name"] or "")})
    answer, fault = vision_wheel.ask_apart("import cv2; cv2.DISOpticalFlow_create(1); print(cv2.__version__)")
    mend = f"run: pip uninstall {' '.join(flavours)}; then: pip install opencv-python-headless"
    if fault:
        yield Finding(name="cv2", state="broken", found=fault, remedy=mend)
    elif len(flavours) > 1:
        yield Finding(name="cv2", state="note", found=f"{answer}, but owned by {' and '.join(flavours)}", remedy=mend)
    else:
        yield Finding(name="cv2", state="ok", found=f"{answer} of {flavours[0] if flavours else 'an unknown origin'}")


def _torchvision() -> Iterator[Finding]:
    fault = vision_wheel.import_fault()
    if fault is not None:
        yield Finding(name="torchvision", state="broken", found=fault.message, remedy=fault.remedy)
        return
    found = vision_wheel.written_version("torchvision") if find_spec("torchvision") else "absent; it is not needed"
    yield Finding(name="torchvision", state="ok", found=found or "of an unknown version")


def _decord() -> Iterator[Finding]:
    if find_spec("decord") is None:
        yield Finding(name="decord", state="ok", found="absent; PyAV reads everything")
        return
    _, fault = vision_wheel.ask_apart("import decord")
    mend = "run: pip uninstall decord (PyAV reads everything)"
    yield Finding(
        name="decord", state="broken" if fault else "ok", found=fault or version("decord"), remedy=mend if fault else ""
    )


def _controlnet_aux() -> Iterator[Finding]:
    if find_spec("controlnet_aux") is None:
        yield Finding(name="controlnet-aux", state="ok", found="absent; only the preprocessors of its extra need it")
        return
    code = (
        "import json, sys, warnings; warnings.simplefilter('ignore')\n"
        "from vedit.preprocessors.aux_load import import_part\n"
        "faults = {}\n"
        "for name, parts in json.loads(sys.argv[1]).items():\n"
        "    try:\n"
        "        [import_part(part) for part in parts]\n"
        "    except Exception as error:\n"
        "        faults[name] = str(error)\n"
        "print(json.dumps(faults))"
    )
    answer, fault = vision_wheel.ask_apart(code, json.dumps(DETECTORS))
    faults: dict[str, str] = {} if fault else json.loads(answer)
    works = [name for name in DETECTORS if name not in faults]
    yield Finding(
        name="controlnet-aux",
        state="broken" if fault or not works else "ok",
        found=fault or f"works for {', '.join(works) or 'nothing'}",
        remedy="" if works and not fault else "run: pip install --no-deps --force-reinstall controlnet-aux",
    )
    for name, reason in faults.items():
        yield Finding(name=name, state="note", found=reason.split("; ")[0], remedy=reason.partition("; ")[2])


def _encoders() -> Iterator[Finding]:
    code = (
        "import json\n"
        "from vedit.media.writing.codecs import CODECS, available, opens\n"
        "hardware = sorted({e.name for c in CODECS.values() for e in c.hardware if opens(e)})\n"
        "print(json.dumps({'all': list(CODECS), 'here': list(available()), 'hardware': hardware}))"
    )
    answer, fault = vision_wheel.ask_apart(code)
    if fault:
        yield Finding(name="encoders", state="broken", found=fault, remedy="run: pip install --force-reinstall av")
        return
    facts = json.loads(answer)
    missing = [name for name in facts["all"] if name not in facts["here"]]
    hardware = f"; hardware: {', '.join(facts['hardware'])}" if facts["hardware"] else ""
    yield Finding(
        name="encoders",
        state="broken" if "h264" in missing else "note" if missing else "ok",
        found=f"{', '.join(facts['here'])}{hardware}" + (f"; none for {', '.join(missing)}" if missing else ""),
        remedy="run: pip install --force-reinstall --only-binary av av" if missing else "",
    )


def _parts() -> Iterator[Finding]:
    """What can be asked for by name, and which of the plug-ins' parts cannot be loaded."""
    plugged: list[tuple[Registry, Entry]] = []
    for kind, listing in PARTS.items():
        try:
            registry = listing()
            entries = list(registry)
        except VeditError as error:
            yield Finding(name=kind, state="broken", found=error.message, remedy=error.remedy)
            continue
        own = [entry.name for entry in entries if entry.origin == "vedit"]
        others = [entry for entry in entries if entry.origin != "vedit"]
        told = own if len(own) <= _FEW else [f"{len(own)} of vedit's own"]
        told += [f"{one.name} ({one.origin} {one.version or 'of an unknown version'})" for one in others]
        yield Finding(name=kind, state="ok", found=", ".join(told))
        plugged += [(registry, one) for one in others]
    for registry, entry in plugged:
        code = (
            "import sys; from vedit.registry.entry import Entry\n"
            "name, target, origin, protocol, kind = sys.argv[1:]\n"
            "entry = Entry(name=name, summary='', target=target, origin=origin)\n"
            "held = Entry(name=kind, summary='', target=protocol).load() if protocol else None\n"
            "entry.load_as(held, kind) if held else entry.load()"
        )
        told = (entry.name, entry.target, entry.origin, registry.protocol, registry.kind)
        _, fault = vision_wheel.ask_apart(code, *told)
        if fault:
            mend = f"reinstall or uninstall {entry.origin}"
            yield Finding(name=entry.name, state="broken", found=fault, remedy=mend)


def _weights() -> Iterator[Finding]:
    absent: list[str] = []
    for entry in known_weights():
        folder = find(entry.name)
        if folder is None:
            absent.append(entry.name)
            continue
        try:
            changed = altered(entry.name)
            found = f"{folder} ({(revision(entry.name) or 'of no recorded revision')[:12]}; {terms(entry)})"
        except ModelError as error:
            yield Finding(name=entry.name, state="broken", found=error.message, remedy=error.remedy)
            continue
        yield Finding(
            name=entry.name,
            state="broken" if changed else "ok",
            found=f"{folder / changed[0]} is not the file that was pulled" if changed else found,
            remedy=remedy(entry, again=True) if changed else "",
        )
    if absent:
        yield Finding(name="weights", state="ok", found=f"absent, and fetched only when asked for: {', '.join(absent)}")


def _models() -> Iterator[Finding]:
    """What lies in the hub's cache and the model folders, and what each is."""
    found = local_models()
    for model in found.models:
        told = ", ".join(filter(None, (model.name, model.precision)))
        damaged = model.name.startswith("not readable")
        yield Finding(
            name=model.path.name if model.path.parent.name != "snapshots" else model.path.parents[1].name,
            state="note" if damaged else "ok",
            found=f"{told} ({model.path})",
            remedy="fetch it again, or remove it" if damaged else "",
        )
    places = ", ".join(map(str, found.places)) or "no folder that is there"
    yield Finding(name="models", state="ok", found=f"{len(found.models)} in {places}")


def _unfinished() -> Iterator[Finding]:
    """What pulls that were cut have left."""
    found = parts()
    if found:
        yield Finding(
            name="downloads",
            state="note",
            found=f"{len(found)} not finished, {sum(found.values()) / 1e9:.1f} GB in {', '.join(map(str, found))}",
            remedy="run their vedit models pull again, which goes on where it stopped, or remove the files",
        )


def _kept() -> Iterator[Finding]:
    """What earlier renders have left for later ones."""
    folder, days = cache_folder(), oldest_seconds()
    found = held(folder)
    while_used = "" if days is None else f", each until it was not used for {days / 86400:g} days ({AGE})"
    until = f"up to {limit_bytes() / 1e9:g} GB ({LIMIT}){while_used}"
    yield Finding(
        name="kept for later renders",
        state="ok",
        found=f"{found.inversions} inversions and {found.maps} maps and mattes, {found.size_bytes / 1e6:.0f} MB, "
        f"in {folder}, which can be removed at any time; "
        + (f"nothing more ({LIMIT} is 0)" if keeps_nothing() else until),
    )
    for file, (name, what_for) in TABLES.items():
        if (cache_root() / file).is_file():
            told = f"{file} in {cache_root()}, {what_for}; it can be removed at any time"
            yield Finding(name=name, state="ok", found=told)


def _space() -> Iterator[Finding]:
    from huggingface_hub.constants import HF_HUB_CACHE

    places = {"temporary files": tempfile.gettempdir(), "this folder": str(Path.cwd()), "downloads": HF_HUB_CACHE}
    if own_folders():
        places["weights"] = str(own_folders()[0])
    for name, place in places.items():
        folder = Path(place)
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        little = free < _LITTLE_SPACE
        yield Finding(
            name=f"space for {name}",
            state="note" if little else "ok",
            found=f"{free / 1e9:.1f} GB free at {place}",
            remedy="free some space, or set TMPDIR, HF_HOME or VEDIT_MODEL_DIR to a larger disk" if little else "",
        )


def _settings() -> Iterator[Finding]:
    read = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TMPDIR")
    for name in sorted(name for name in os.environ if name.startswith("VEDIT_") or name in read):
        absent = [str(one) for one in own_folders() if not one.is_dir()] if name == FOLDER_VARIABLE else []
        yield Finding(
            name=name,
            state="note" if absent else "ok",
            found=os.environ[name] + (f" ({', '.join(absent)} is not a folder yet)" if absent else ""),
        )
