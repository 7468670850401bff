"""The folders in which people keep models, in the layouts of the programs that made them. Does not import torch.

`$VEDIT_MODEL_DIR` names them, one or several as in PATH; `--model-dir` puts others before these for one command. Each
may be a plain folder of models, or a folder of ComfyUI or of AUTOMATIC1111's web UI, which part them by kind.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from vedit.registry.catalogue import ListedPart
from vedit.weights.hub_cache import hub_place
from vedit.weights.store import FOLDER_VARIABLE, own_folders

SUBFOLDERS: dict[ListedPart, tuple[str, ...]] = {
    "model": ("checkpoints", "Stable-diffusion", "diffusers", "diffusion_models", "unet"),
    "controlnet": ("controlnet", "ControlNet", "t2i_adapter"),
    "lora": ("loras", "Lora", "LyCORIS", "lora"),
    "ip-adapter": ("ipadapter", "IPAdapter", "ip-adapter", "controlnet", "ControlNet"),
    "t2i-adapter": ("t2i_adapter", "controlnet", "ControlNet"),
    "embedding": ("embeddings",),
    "motion": ("animatediff_models", "animatediff_motion_lora"),
}
"""What ComfyUI and AUTOMATIC1111's web UI call the folders of each kind; where ControlNets are taken, so are
T2I-Adapters."""
ELSEWHERE = "extra_model_paths.yaml"
"""ComfyUI's file that names the folders of other programs."""
_ENDINGS = ("", ".safetensors", ".gguf")
_CONFIGS = ("model_index.json", "config.json", "pytorch_lora_weights.safetensors")
"""One of them makes a folder a model; any other is a place where models lie."""
_LARGEST = 1_000_000


@contextmanager
def model_folders_first(folders: Sequence[Path]) -> Generator[None]:
    """Other folders come before those of the environment, for what runs in the context and the processes it starts."""
    before = os.environ.get(FOLDER_VARIABLE)
    if folders:
        joined = [str(folder.absolute()) for folder in folders]
        os.environ[FOLDER_VARIABLE] = os.pathsep.join([*joined, *([before] if before else [])])
    try:
        yield
    finally:
        if folders and before is None:
            os.environ.pop(FOLDER_VARIABLE, None)
        elif folders:
            os.environ[FOLDER_VARIABLE] = str(before)


def in_model_folders(name: str, part: ListedPart) -> Path | None:
    """The file or folder of a name, with or without its ending, in the model folders; None where there is none.

    Args:
        name: of a file, a folder, or either in subfolders: "style/ink".
        part: what is wanted, which says the subfolders of other programs' layouts.
    """
    parts = PurePath(name).parts
    if not parts or PurePath(name).is_absolute() or ".." in parts or "\0" in name or name.endswith(("/", "\\")):
        return None
    for folder in own_folders():
        for place in places_for(folder, part):
            for ending in _ENDINGS:
                found = place / f"{name}{ending}"
                if _is_model(found):
                    return found
    return None


def found_anywhere(name: str) -> Path | None:
    """The path that a user's words are, the first of the name in the model folders, whatever it is, or where an id of
    the hub is in its cache."""
    try:
        if name.strip() and Path(name).exists():
            return Path(name)
    except (OSError, ValueError):  # no name of a file
        return None
    found = next((found for part in SUBFOLDERS if (found := in_model_folders(name, part)) is not None), None)
    on_hub = hub_place(name)
    return on_hub.cached if found is None and on_hub is not None else found


def places_for(folder: Path, part: ListedPart) -> Iterator[Path]:
    """Where what is wanted lies in a model folder: in itself, and in the subfolders of its layout."""
    yield folder
    for base in (folder, folder / "models"):
        yield from (base / sub for sub in SUBFOLDERS[part])
    named = SUBFOLDERS[part]
    yield from (place for kind, place in elsewhere(folder) if kind in named)


def elsewhere(folder: Path) -> tuple[tuple[str, Path], ...]:
    """The folders that ComfyUI's extra_model_paths.yaml names: kind and folder; none where there is no such file.

    What it does not say in that form is left out: the file is another program's.
    """
    file = folder / ELSEWHERE
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return ()
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return ()
    groups: list[list[tuple[str, str]]] = [[]]
    for line in lines:
        text = line.split(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        key, colon, value = text.partition(":")
        if not line[0].isspace():
            groups.append([])
        elif colon and key.replace("_", "").isalnum() and (not value or value[0] == " "):
            groups[-1].append((key, value.strip(" |>-'\"")))
        elif groups[-1]:  # a further line of a text of several
            groups[-1].append((groups[-1][-1][0], text))
    return tuple(entry for group in groups for entry in _placed(folder, group))


def _placed(folder: Path, group: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Path]]:
    """The folders of one program: what its base is, and what lies in it."""
    base = folder / Path(next((text for key, text in group if key == "base_path"), "")).expanduser()
    for kind, text in group:
        if kind not in ("base_path", "is_default") and text:
            yield kind, base / Path(text).expanduser()


def _is_model(path: Path) -> bool:
    try:
        if path.is_dir():
            return any((path / file).is_file() for file in _CONFIGS)
        return path.suffix in _ENDINGS[1:] and path.is_file()
    except OSError:  # a name that is too long
        return False
