"""Where the hub client keeps what it fetched. Importing this does not import it."""

from pathlib import Path


def snapshots_of(repo: str) -> Path:
    """The folder of a repository's snapshots, one for each commit; it need not exist."""
    # transformers and diffusers keep hub files under the same cache; the folder's name is the hub client's rule.
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"


def cached(place: str) -> Path | None:
    """Where something is on this machine: a path itself, or a hub id's snapshot (owner/name[@revision]) or file
    (owner/name/FILE) in the cache; None where it is not there."""
    path = Path(place)
    if path.exists():
        return path
    owner, _, rest = place.partition("/")
    name, _, file = rest.partition("/")
    name, _, revision = name.partition("@")
    if not name or path.is_absolute():
        return None
    snapshots = snapshots_of(f"{owner}/{name}")
    named = snapshots.parent / "refs" / (revision or "main")
    commit = named.read_text("utf-8").strip() if named.is_file() else revision
    found = snapshots / commit / file
    return found if commit and found.exists() else None
