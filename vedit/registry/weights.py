"""The weights that preprocessors, subjects and metrics can be given: which, from where, how big, under what licence.

Vedit's own stand in `models.toml`, which `vedit.registry.catalogue` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class WeightsInfo:
    """Weights known by name."""

    name: str
    repo: str
    """On the hub: owner/name."""
    revision: str | None
    """The pinned commit, 40 hex digits; None: the newest at the time of pulling, recorded then."""
    size_bytes: int
    """To download; approximate."""
    licence: str
    commercial: bool
    """Whether the licence allows commercial use."""
    summary: str
    files: tuple[str, ...] = ("*.safetensors", "*.json", "*.txt")
    """Patterns of the files to fetch; each one that ends in .safetensors must be there."""
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    """Checksums of files at the pinned commit, by name; a pull that brings others is refused."""
    pickle: str = ""
    """The repository's file where it holds these weights as a pickle alone: `pull` refuses, the user converts it."""
