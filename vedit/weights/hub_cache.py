"""What is an id on the hub, and where the hub's client keeps what it fetched. Importing this does not import it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# The hub's own rule for names. Nothing in it can be read as a path that leads anywhere else: no name begins or ends
# with a dot or a hyphen, and none holds two dots in a row.
_NAME = r"(?!\w*(?:\.\.|--))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_PLACE = re.compile(
    rf"(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>{_NAME}))?(?:/(?P<file>(?:{_NAME}/)*{_NAME}\.safetensors))?", re.ASCII
)
PULLING = "vedit.pulling.json"
"""Beside the snapshots of a repository that is being pulled, or whose pull was cut: what they held before."""
WEIGHT_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")


@dataclass(frozen=True, kw_only=True)
class HubPlace:
    """A repository on the hub, or one file of it."""

    repo: str
    """owner/name."""
    file: str | None = None
    revision: str | None = None

    @property
    def commit(self) -> str | None:
        """The commit that is in the hub's cache under its revision; None where none is."""
        wanted, snapshots = self.revision or "main", snapshots_of(self.repo)
        named = snapshots.parent / "refs" / wanted
        try:
            commit = named.read_text("utf-8").strip() if named.is_file() else wanted
        except (OSError, UnicodeDecodeError):
            return None
        return commit if re.fullmatch(_NAME, commit, re.ASCII) and (snapshots / commit).is_dir() else None

    @property
    def unfinished(self) -> bool:
        """Whether a pull of the repository was cut, so that not all of it may be there."""
        return (snapshots_of(self.repo).parent / PULLING).is_file()

    @property
    def cached(self) -> Path | None:
        """Its folder or file in the hub's cache; None where it is not there."""
        commit = self.commit
        if commit is None:
            return None
        folder = snapshots_of(self.repo) / commit
        if self.file is None:
            return folder
        return folder / self.file if (folder / self.file).is_file() else None


def hub_place(text: str) -> HubPlace | None:
    """What `owner/name`, `owner/name@revision` or either with `/FILE.safetensors` stands for; None for all else.

    Nothing that has the shape of a path is one: not `./x`, `../x`, `-x/y`, `x/..` nor `/x/y`.
    """
    found = _PLACE.fullmatch(text)
    if found is None or (found["file"] is None and text.lower().endswith(WEIGHT_ENDINGS)):
        return None
    return HubPlace(repo=found["repo"], file=found["file"], revision=found["revision"])


def on_disk(place: str) -> str:
    """A place as it is, or, of what is in the hub's cache, its path."""
    on_hub = hub_place(place)
    return place if on_hub is None or on_hub.cached is None else str(on_hub.cached)


def snapshots_of(repo: str) -> Path:
    """The folder of a repository's snapshots, one for each commit; it need not exist."""
    # transformers and diffusers keep hub files under the same cache; the folder's name is the hub client's rule.
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"


def cached(place: str) -> Path | None:
    """Where a path or what is in the hub's cache is on this machine; None where it is not there."""
    found = Path(on_disk(place))
    return found if found.exists() else None
