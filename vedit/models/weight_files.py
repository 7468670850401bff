"""Which files of a folder hold a part's weights: one, several with an index, or a variant. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vedit.errors import ModelError
from vedit.models.configs import damaged, shards
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
            if whole.is_file():
                return Stored(place=str(whole), files=(whole,))
            if index.is_file():
                return Stored(place=str(folder), files=_indexed(index))
    pickled = next((file for file in sorted(folder.glob("*")) if file.suffix in _PICKLES), None)
    if pickled is not None:
        raise damaged(
            pickled,
            "is a pickle file, which can run code when it is opened, and there are no safetensors beside it",
            "convert it to .safetensors, or take a copy that has them so",
        )
    named = next((folder / f"{stem}{SUFFIX}" for stem in STEMS if (folder / f"{stem}{SUFFIX}").exists()), None)
    if named is not None:
        raise damaged(named, "is a folder, where a file should be")
    raise damaged(folder / f"{STEMS[folder.name == 'text_encoder']}{SUFFIX}", "is missing")


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
    files = shards(index)
    outside = next((file.name for file in files if file.suffix != SUFFIX), None)
    if outside is not None:
        raise ModelError(f"{index} names {outside!r}, which is no {SUFFIX} file", remedy=FETCH_AGAIN)
    return files
