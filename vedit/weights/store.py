"""Optional weights of the preprocessors: what there is, where it lies and how it is loaded. Never touches the network.

`vedit.weights.hub` fetches them, when asked to. The entries name hub repositories and pin a commit, with the checksum
of its weights where that is known. Where an entry pins none, the newest commit is fetched. Either way the commit and
the checksums of what came are written into `vedit.json` beside the files: that record is what they are held against
from then on, and what is shown.

Only safetensors are loaded, never a pickle, and no code that comes with a model is run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

from vedit.checks.nearest import suggest
from vedit.errors import ModelError
from vedit.registry.catalogue import catalogue, own
from vedit.registry.weights import WeightsInfo
from vedit.weights.hub_cache import snapshots_of
from vedit.weights.torchvision import vision_fault

T = TypeVar("T")

FOLDER_VARIABLE = "VEDIT_MODEL_DIR"
"""Environment variable: folders that hold weights as NAME/, before the hub's cache; several as in PATH."""
WEIGHTS = tuple(own().weights.values())
"""Those that vedit itself lists."""
_OWN = {entry.name: entry for entry in WEIGHTS}
RECORD = "vedit.json"
"""File beside pulled weights: repository, commit, and the size and SHA-256 of every safetensors file."""


def own_folders() -> tuple[Path, ...]:
    """The folders that VEDIT_MODEL_DIR names, the first before the others; each need not be there."""
    named = os.environ.get(FOLDER_VARIABLE, "").split(os.pathsep)
    return tuple(dict.fromkeys(Path(text).expanduser() for text in named if text.strip()))


def known_weights() -> tuple[WeightsInfo, ...]:
    """All weights with a name, in the order of the kinds of controls they serve, those of plug-ins and lists last."""
    from vedit.registry.preprocessors import listed

    brought = (*(entry for kind in listed() for entry in kind.weights), *catalogue().weights.values())
    return (*WEIGHTS, *{entry.name: entry for entry in brought if entry.name not in _OWN}.values())


def info(name: str) -> WeightsInfo:
    """What is known of weights. Raises ModelError where none has that name, naming the nearest."""
    if name in _OWN:
        return _OWN[name]
    known = known_weights()
    for entry in known:
        if entry.name == name:
            return entry
    raise ModelError(f"there are no weights {name!r}", remedy=suggest(name, [entry.name for entry in known]))


def find(name: str) -> Path | None:
    """The folder of weights that are on this machine and whole, else None; never touches the network."""
    entry = info(name)
    return next((folder for folder in _places(entry) if whole(entry, folder)), None)


def local(name: str) -> Path:
    """The folder that holds weights: `$VEDIT_MODEL_DIR/<name>`, else their snapshot in the hub's cache.

    Never touches the network.

    Raises:
        ModelError: unknown or absent, in one line with size, licence and how to get them; or their files are not those
            that were pulled.
    """
    entry = info(name)
    folder = find(name)
    if folder is None:
        refused = next((path for place in _places(entry) for path in _pickles(place)), None)
        if refused is not None:
            raise ModelError(
                f"{refused} is a pickle file, which can run code when it is opened",
                remedy=remedy(entry),
            )
        needed = f"{_users(name)} needs" if _users(name) else "what was asked for needs"
        raise ModelError(
            f"{needed} the weights {name} ({terms(entry)}), which are not on this machine", remedy=remedy(entry)
        )
    changed = next((file for file, facts in _recorded(folder).items() if _size(folder / file) != facts["size"]), None)
    if changed is not None:
        raise ModelError(f"{folder / changed} is not the file that was pulled", remedy=remedy(entry, again=True))
    return folder


def load_from(name: str, load: Callable[[Path], T]) -> T:
    """Load weights by a function of their folder; what goes wrong in it becomes one line.

    Args:
        name: of the weights.
        load: gets the folder; for transformers pass `local_files_only=True, use_safetensors=True`.

    Raises:
        ModelError: absent, damaged, of another architecture, or a library that cannot be imported.
    """
    folder = local(name)
    try:
        return load(folder)
    except ModelError:
        raise
    except Exception as error:  # safetensors, transformers and torch each have errors of their own for a bad file
        fault = vision_fault()
        if fault is not None:
            raise ModelError(f"{name} cannot be loaded: {fault.message}", remedy=fault.remedy) from error
        if isinstance(error, ImportError):
            raise ModelError(f"{name} cannot be loaded: {first_line(error)}", remedy="run: vedit doctor") from error
        raise ModelError(
            f"{folder} cannot be loaded as {name}: {first_line(error)}", remedy=remedy(info(name), again=True)
        ) from error


def load_pretrained(name: str, loader: Any, **told: Any) -> Any:
    """A transformers model in evaluation mode on the CPU, in float32, every weight of it from the files.

    Args:
        name: of the weights.
        loader: a model class of transformers, or its name, by which a failing import becomes one line too.
        told: what else its `from_pretrained` is told.

    Raises:
        ModelError: see `load_from`; also where the files lack some of the model's weights, which transformers would
            fill with random numbers.
    """

    def load(folder: Path) -> Any:
        from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

        _refuse_orders(folder)
        kind = getattr(import_module("transformers"), loader) if isinstance(loader, str) else loader
        bars = is_progress_bar_enabled()
        disable_progress_bar()
        try:
            model, report = kind.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype="float32",
                output_loading_info=True,
                **told,
            )
        finally:
            if bars:
                enable_progress_bar()
        missing = sorted(report["missing_keys"])
        if missing:
            raise OSError(f"the files lack {len(missing)} of the model's weights, {missing[0]} among them")
        return model.eval()

    return load_from(name, load)


def _refuse_orders(folder: Path) -> None:
    """Raises OSError where files beside weights would have transformers load something else than these.

    A config can name code of a repository for its attention, or ask for quantization; an adapter's names another model.
    """
    if (folder / "adapter_config.json").exists():
        raise OSError("adapter_config.json asks for an adapter, which is not loaded")
    config = folder / "config.json"
    waiting: list[Any] = [json.loads(config.read_text("utf-8"))] if config.is_file() else []
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += cast("list[Any]", item)
        if not isinstance(item, dict):
            continue
        told = cast("dict[str, Any]", item)
        waiting += told.values()
        for key, value in told.items():
            named = key.endswith("attn_implementation") and value not in (None, "eager", "sdpa")
            if named or (key == "quantization_config" and value is not None):
                raise OSError(f"config.json says {key} = {str(value)[:60]}, which is not obeyed")


def revision(name: str) -> str | None:
    """The commit that was pulled; None where the weights are absent, or came otherwise and name none."""
    folder = find(name)
    if folder is None:
        return None
    if (folder / RECORD).is_file():
        return str(_record(folder)["revision"])
    return folder.name if folder.parent.name == "snapshots" else None


def identity(name: str) -> object:
    """What tells present weights from others of the same name, JSON-able, without reading them; None: absent."""
    folder = find(name)
    if folder is None:
        return None
    recorded = _recorded(folder)
    if recorded:
        return {file: facts["sha256"] for file, facts in recorded.items() if file.endswith(".safetensors")}
    files = sorted(folder.rglob("*.safetensors"))
    return [str(folder.resolve()), *([file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files)]


def altered(name: str) -> tuple[str, ...]:
    """Files of present weights whose SHA-256 is not the recorded one; reads every byte of them."""
    folder = find(name)
    recorded = _recorded(folder) if folder else {}
    return tuple(file for file, facts in recorded.items() if folder and digest(folder / file) != facts["sha256"])


def terms(entry: WeightsInfo) -> str:
    """Size and licence, to read: `99 MB, Apache-2.0`."""
    count = entry.size_bytes
    text = f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"
    return f"{text}, {entry.licence}{'' if entry.commercial else ', no commercial use'}"


def remedy(entry: WeightsInfo, *, again: bool = False) -> str:
    """How to get weights, or to get them again, in one line."""
    if not entry.pickle:
        return f"run: vedit models pull {entry.name}{' --force' if again else ''}"
    return (
        f"fetch {entry.pickle} of {entry.repo} and convert it: python examples/convert_annotator.py {entry.name} "
        f"{Path(entry.pickle).name} ${FOLDER_VARIABLE}"
    )


def _places(entry: WeightsInfo) -> Iterator[Path]:
    """Folders where the weights may lie, the first one that is whole counts."""
    yield from (folder / entry.name for folder in own_folders())
    if entry.pickle:
        return
    snapshots = snapshots_of(entry.repo)
    if entry.revision is not None:
        yield snapshots / entry.revision
        return
    yield from sorted(record.parent for record in snapshots.glob(f"*/{RECORD}"))
    main = snapshots.parent / "refs" / "main"
    if main.is_file():
        yield snapshots / main.read_text("utf-8").strip()


def whole(entry: WeightsInfo, folder: Path) -> bool:
    """Whether a folder holds every safetensors file that belongs to the weights."""
    if not folder.is_dir():
        return False
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors") if path.is_file()]
    if not all(any(fnmatch(name, want) for name in names) for want in entry.files if want.endswith(".safetensors")):
        return False
    index = folder / "model.safetensors.index.json"
    try:
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values()) if index.is_file() else set[str]()
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return shards <= set(names)


def _pickles(folder: Path) -> Iterator[Path]:
    for suffix in (".bin", ".pth", ".pt", ".ckpt"):
        yield from sorted(folder.glob(f"*{suffix}"))


def _recorded(folder: Path) -> dict[str, dict[str, Any]]:
    return _record(folder)["files"] if (folder / RECORD).is_file() else {}


def _record(folder: Path) -> dict[str, Any]:
    """What was written when the weights were pulled. Raises ModelError where it is damaged."""
    record = folder / RECORD
    try:
        told = json.loads(record.read_text("utf-8"))
        if all("sha256" in facts and "size" in facts for facts in told["files"].values()) and "revision" in told:
            return told
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ModelError(f"{record} is damaged", remedy=f"remove {folder} and pull the weights again")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _users(name: str) -> str:
    """The preprocessors or metrics that load the weights, as the subject of a sentence."""
    from vedit.registry.metrics import metrics
    from vedit.registry.preprocessors import listed

    for what, entries in (("control", listed()), ("metric", metrics())):
        kinds = [repr(entry.name) for entry in entries if name in entry.needs.weights]
        if kinds:
            return f"the {what} {' or '.join(kinds)}"
    return ""


def first_line(error: BaseException) -> str:
    """What an error of a library says, cut to fit into a line."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
