"""Where the hub client keeps what it fetched. Importing this does not import it."""

from pathlib import Path


def snapshots_of(repo: str) -> Path:
    """The folder of a repository's snapshots, one for each commit; it need not exist."""
    # transformers and diffusers keep hub files under the same cache; the folder's name is the hub client's rule.
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"
