"""What a file or a folder of a model is, as `vedit models info PATH` says it: from configs and headers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vedit.errors import ModelError
from vedit.models.gguf_header import read_gguf
from vedit.models.headers import SUFFIX, read_header
from vedit.models.identify import identify
from vedit.models.kinds import Kind
from vedit.models.lora_file import lora_facts, lora_path


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of a file or folder without reading its weights."""

    path: Path
    name: str
    """What it is, in words."""
    family: str
    part: str
    """model, controlnet, lora, adapter, network or other; of an adapter which one it is."""
    precision: str
    """What most numbers of its network are stored in."""
    runs: bool
    """Whether vedit uses it as what it is."""
    given_as: str
    """The option that takes it; empty where none does."""
    lacks: str
    """What it would need, or why it cannot be used; nothing where it can."""
    files: int
    """Of weights."""
    tensors: int
    parameters: int
    size_bytes: int
    """Of the files of weights."""
    formats: dict[str, int]
    """Number format -> how many numbers are in it, over all networks."""
    averaged: bool
    """It holds averaged copies (`model_ema.`) beside its weights, which are not used."""
    lora: Mapping[str, str]
    """Of a LoRA what `vedit.models.lora_file.lora_facts` says; else nothing."""


def facts_of(path: Path) -> ModelFacts:
    """What a file or folder is. Raises ModelError as `vedit.models.identify.identify`."""
    kind = identify(path)
    files = tuple(_weights_of(path))
    tensors, numbers, averaged, formats = 0, 0, False, dict[str, int]()
    for file in files:
        header = read_gguf(file) if file.suffix == ".gguf" else read_header(file)
        tensors += len(header.shapes)
        numbers += sum(header.formats.values())
        averaged = averaged or any(key.startswith("model_ema.") for key in header.shapes)
        for name, count in header.formats.items():
            formats[name] = formats.get(name, 0) + count
    lora, unread = _of_lora(path, kind)
    return ModelFacts(
        path=path,
        name=kind.name,
        family=kind.family,
        part=kind.sort or kind.part,
        precision=kind.precision,
        runs=not unread and (kind.runs or bool(kind.given_as(path))),
        given_as="" if unread else kind.given_as(path),
        lacks=unread if kind.runs else kind.lacks or unread,
        files=len(files),
        tensors=tensors,
        parameters=numbers,
        size_bytes=sum(file.stat().st_size for file in files),
        formats=formats,
        averaged=averaged,
        lora=lora,
    )


def _of_lora(path: Path, kind: Kind) -> tuple[Mapping[str, str], str]:
    """What is known of a LoRA, and why it cannot be used; of anything else neither."""
    if kind.part != "lora" or kind.lacks:
        return {}, ""
    try:
        return lora_facts(lora_path(path)), ""
    except ModelError as error:
        return {}, error.message


def _weights_of(path: Path) -> Iterator[Path]:
    """The files of weights of a model: of a folder those of its parts, each once, without variants of the same."""
    if not path.is_dir():
        yield path
        return
    for folder in (path, *sorted(sub for sub in path.iterdir() if sub.is_dir())):
        files = sorted((*folder.glob(f"*{SUFFIX}"), *folder.glob("*.gguf")))
        plain = [file for file in files if not _is_variant(file)]
        yield from plain or files


def _is_variant(file: Path) -> bool:
    return any(f".{variant}" in file.name for variant in ("fp16", "bf16", "non_ema"))
