"""Which files of a folder hold a part's weights: one, several with an index, or a variant. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vedit.errors import ModelError
from vedit.models.configs import shards
from vedit.models.headers import FETCH_AGAIN, SUFFIX, Header, read_header

STEMS = ("diffusion_pytorch_model", "model")
"""What diffusers and transformers call the weights of a part."""
_VARIANTS = ("fp16", "bf16")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The tensors of some files as one set, by key."""

    place: str
    """What a message calls them."""
    files: tuple[Path, ...]

    @cached_property
    def headers(self) -> Mapping[Path, Header]:
        """Raises ModelError where a file is absent or damaged."""
        return {file: read_header(file) for file in self.files}

    @cached_property
    def homes(self) -> Mapping[str, Path]:
        """Which file each tensor is in."""
        return {key: file for file, header in self.headers.items() for key in header.shapes}

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Of all tensors."""
        return {key: shape for header in self.headers.values() for key, shape in header.shapes.items()}

    @property
    def parameters(self) -> int:
        """Numbers in all tensors together."""
        return sum(header.parameters for header in self.headers.values())


def stored_in(folder: Path) -> Stored:
    """The weights of a part from its folder: in full precision where they are there, else those of a variant.

    Raises:
        ModelError: there are none, only pickles, several variants without a reason to take one, or a damaged index.
    """
    for stem in STEMS:
        for variant in ("", *_VARIANTS, *_other_variants(folder, stem)):
            dotted = f".{variant}" if variant else ""
            whole, index = folder / f"{stem}{dotted}{SUFFIX}", folder / f"{stem}{SUFFIX}.index{dotted}.json"
            if whole.exists():
                return Stored(place=str(whole), files=(whole,))
            if index.exists():
                return Stored(place=str(folder), files=_indexed(index))
    if any(file.suffix in _PICKLES for file in folder.glob("*")):
        raise ModelError(
            f"{folder} holds its weights as pickles alone, which can run code when they are opened",
            remedy="convert them to .safetensors, or take a copy that has them so",
        )
    names = " or ".join(f"{stem}{SUFFIX}" for stem in STEMS)
    there = f"has no weights in it: no {names}" if folder.is_dir() else "is not there"
    raise ModelError(f"{folder} {there}", remedy=f"fetch the whole folder again, with its {SUFFIX} files")


def _other_variants(folder: Path, stem: str) -> tuple[str, ...]:
    names = [file.name.removeprefix(f"{stem}.").removesuffix(SUFFIX) for file in folder.glob(f"{stem}.*{SUFFIX}")]
    found = sorted({name for name in names if name and "." not in name and "-of-" not in name} - set(_VARIANTS))
    if len(found) > 1 and not any((folder / f"{stem}.{known}{SUFFIX}").is_file() for known in _VARIANTS):
        raise ModelError(
            f"{folder} holds {len(found)} sets of weights: {', '.join(found)}",
            remedy=f"keep one of them, under the name {stem}{SUFFIX}",
        )
    return tuple(found)


def _indexed(index: Path) -> tuple[Path, ...]:
    files = tuple(sorted(shards(index)))
    other = next((file for file in files if file.suffix != SUFFIX), None)
    if other is not None:
        raise ModelError(f"{index} names {other.name!r}, which is no {SUFFIX} file", remedy=FETCH_AGAIN)
    return files
