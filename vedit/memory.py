"""What to do when memory runs out: a ladder of smaller footings, each slower than the one before."""

from __future__ import annotations

from dataclasses import dataclass, replace

SMALLEST_WINDOW = 4


@dataclass(frozen=True, kw_only=True)
class Footing:
    """How much is held at once.

    Attributes:
        batch: frames per network call; changes no frame.
        window: frames sampled together; part of what decides the frames.
        tiled: the autoencoder works in overlapping tiles.
        offloaded: autoencoder and text encoder stay in host memory while the network runs.
    """

    batch: int
    window: int
    tiled: bool = False
    offloaded: bool = False

    def __str__(self) -> str:
        extras = [name for name, on in (("tiled autoencoder", self.tiled), ("offloading", self.offloaded)) if on]
        return ", ".join([f"batch {self.batch}", f"window {self.window}", *extras])


def smaller(footing: Footing, *, can_offload: bool) -> Footing | None:
    """The next rung down; None at the bottom.

    The batch first, which costs nothing but speed; then what changes the frames least.
    """
    if footing.batch > 1:
        return replace(footing, batch=max(1, footing.batch // 4))
    if footing.window > SMALLEST_WINDOW:
        return replace(footing, window=max(SMALLEST_WINDOW, footing.window // 2))
    if not footing.tiled:
        return replace(footing, tiled=True)
    if can_offload and not footing.offloaded:
        return replace(footing, offloaded=True)
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that host or device memory ran out. Each backend has its own way to say so."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        sign in text for sign in ("out of memory", "can't allocate memory", "cannot allocate memory")
    )
