"""The frames of a clip as a sequence of arrays; a slice is a further one, and frames are read when they are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import index
from typing import TYPE_CHECKING, cast, overload

import numpy as np

from vedit.checks.rationals import shown
from vedit.errors import OutOfRangeError, SettingError
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.types import IntFrames


class Frames(Sequence["IntFrames"]):
    """Some frames of a clip, in some order: arrays (H, W, 3), or (H, W, 4) where the clip has transparency.

    Arrays are uint8, or uint16 for clips of more than 8 bits, as in `Clip`. Each belongs to the caller.

    Args:
        clip: that they are of.
        numbers: of the frames in the clip.
    """

    def __init__(self, clip: Reader, numbers: range) -> None:
        self._clip = clip
        self.numbers = numbers
        """Of the frames in the clip."""

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> IntFrames: ...
    @overload
    def __getitem__(self, index: slice) -> Frames: ...

    def __getitem__(self, index: int | slice) -> IntFrames | Frames:
        """One frame, or the frames of a slice. Raises OutOfRangeError, an IndexError, where there is no such frame."""
        if isinstance(index, slice):
            return Frames(self._clip, self.numbers[_checked(index)])
        place = _integer(index)
        if not -len(self) <= place < len(self):
            raise OutOfRangeError(f"there is no frame {place}", remedy=self._allowed())
        return self._read(self.numbers[place])

    def __iter__(self) -> Iterator[IntFrames]:
        return map(self._read, self.numbers)

    def __repr__(self) -> str:
        return f"<Frames {self.numbers} of {self._clip.metadata.path.name}>"

    def array(self) -> IntFrames:
        """All of them at once, (T, H, W, 3 or 4). Raises OutOfRangeError where there is none."""
        if not self.numbers:
            raise OutOfRangeError("the slice holds no frames", remedy=f"the clip has {len(self._clip.index())}")
        return cast("IntFrames", np.stack(list(self)))

    def _read(self, number: int) -> IntFrames:
        clip = self._clip.read(FrameRange(start=number, stop=number + 1))
        return np.ascontiguousarray(clip.frames[0].transpose(1, 2, 0))

    def _allowed(self) -> str:
        count = len(self)
        return f"they are numbered from 0 to {count - 1}; -1 is the last" if count else "the slice holds none"


def _integer(place: object) -> int:
    try:
        return index(place)  # pyright: ignore[reportArgumentType]
    except TypeError:
        raise SettingError(f"a frame has no number {shown(place)}", remedy="give an integer or a slice") from None


def _checked(part: slice) -> slice:
    if part.step is not None and _integer(part.step) == 0:
        raise SettingError("a slice has the step 0", remedy="give another, for instance video[::2]")
    return slice(*(None if end is None else _integer(end) for end in (part.start, part.stop, part.step)))
