"""What to do when memory runs out: a ladder of smaller footings, each slower than the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

from vedit.errors import VeditError

SMALLEST_WINDOW = 4

_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "bad allocation",
    # oneDNN, which computes convolutions on CPUs, says no more than what it could not do. A primitive's descriptor,
    # which needs no memory to speak of, fails for what it does not support.
    "could not create a primitive",
    "could not execute a primitive",
    "could not create a memory object",
)
"""How errors say that memory ran out, in small letters."""

Stage = Literal["sample", "decode"]
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class MemoryBudget:
    """How much is held at once.

    Attributes:
        batch: frames per network call; decides the last bits of the frames.
        window: frames sampled together; part of what decides the frames.
        tiled: the autoencoder works in tiles: slower, and the frames are the same but for rounding.
        offloaded: network and autoencoder take turns in device memory.
    """

    batch: int
    window: int
    tiled: bool = False
    offloaded: bool = False

    def __str__(self) -> str:
        extras = [name for name, on in (("tiled autoencoder", self.tiled), ("offloading", self.offloaded)) if on]
        return ", ".join([f"batch {self.batch}", f"window {self.window}", *extras])


def smaller(footing: MemoryBudget, *, stage: Stage, can_offload: bool) -> MemoryBudget | None:
    """The next rung down; None at the bottom.

    The batch first, which costs little but speed; then a smaller window while sampling; then tiles, since the source is
    encoded there too.
    """
    if footing.batch > 1:
        return replace(footing, batch=max(1, footing.batch // 4))
    if stage == "sample" and footing.window > SMALLEST_WINDOW:
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
    text = str(error).lower().replace("primitive descriptor", "")
    return isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS)


class Adjustable(Protocol):
    """A model that can do with less memory."""

    @property
    def can_offload(self) -> bool: ...

    def set_memory(self, *, batch: int, tiled: bool, offloaded: bool) -> None: ...


class MemoryLadder:
    """Where a render stands, and the way down; every step is told.

    Args:
        footing: to begin on.
        model: is told of each step.
        on_note: told of each step in a line.
    """

    def __init__(self, footing: MemoryBudget, model: Adjustable, *, on_note: Callable[[str], None]) -> None:
        self.footing = footing
        self.notes: list[str] = []
        self._model, self._on_note = model, on_note
        self._tell_model()

    def run(self, stage: Stage, make: Callable[[], Made]) -> Made:
        """`make()`, tried again on each lower rung as long as memory runs out. Raises VeditError at the bottom."""
        while True:
            try:
                return make()
            except (RuntimeError, MemoryError) as error:
                self.step_down(stage, error)

    def step_down(self, stage: Stage, error: BaseException) -> None:
        """Go down one rung. Raises `error` where it is not about memory, VeditError at the bottom."""
        if not is_out_of_memory(error):
            raise error
        rung = smaller(self.footing, stage=stage, can_offload=self._model.can_offload)
        if rung is None:
            raise VeditError(
                f"out of memory even with {self.footing}",
                remedy="use --quality draft or a smaller model; finished units are kept",
            ) from error
        note = f"out of memory with {self.footing}: going on with {rung}"
        self.footing = rung
        self._tell_model()
        self.notes.append(note)
        self._on_note(note)

    def set_sizes(self, *, window: int, batch: int) -> None:
        """Stand where a shot was begun with less."""
        self.footing = replace(self.footing, window=window, batch=batch)
        self._tell_model()

    def join(self, others: Iterable[MemoryLadder]) -> None:
        """Go on where others have left the model that is theirs too; called as this one's turn comes."""
        told = [ladder.footing for ladder in others if ladder is not self and ladder.notes]
        own = self.footing
        self.footing = replace(
            own,
            batch=min(own.batch, *(one.batch for one in told)) if told else own.batch,
            tiled=own.tiled or any(one.tiled for one in told),
            offloaded=own.offloaded or any(one.offloaded for one in told),
        )
        self._tell_model()

    def _tell_model(self) -> None:
        self._model.set_memory(batch=self.footing.batch, tiled=self.footing.tiled, offloaded=self.footing.offloaded)
