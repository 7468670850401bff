"""The shots of a clip and looks at them, as a notebook shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Unpack

from vedit.checks.arguments import checked
from vedit.checks.rationals import shown
from vedit.display.notebook import cards, or_text
from vedit.errors import InputError, OutOfRangeError, SettingError
from vedit.options.request import RestyleOptions
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.protocols import Reader
from vedit.session.model_settings import ModelSettings, takes_model_settings
from vedit.thumbnail import image_html, png, thumbnail, tiled
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.types import Clip, IntFrames

_PREVIEW_SIDE = 360


class ShownClip(Reader, Protocol):
    """A clip of which single frames can be shown under an edit: a `vedit.Video`."""

    def stills(
        self,
        edits: Edits,
        numbers_of: Callable[[Shot], Sequence[int]],
        *,
        on_progress: OnProgress = ignore_progress,
        **settings: Unpack[ModelSettings],
    ) -> Iterator[Preview]:
        """As `vedit.Video.stills`."""
        ...


class Shots:
    """The shots of a clip in order, each by its number as `vedit shots` lists it: from 1, not from 0; -1 is the last.

    There is no shot 0, and no slice, which would count differently than other slices do: `list(video.shots)[:2]` is the
    first two. In `edits` a shot stands for its number: `{shot: night for shot in video.shots if len(shot) > 48}`.

    Args:
        video: the clip.
        shots: all of it, without gap or overlap.
    """

    def __init__(self, video: ShownClip, shots: Sequence[Shot]) -> None:
        self.plain = tuple(shots)
        """As values that hold no clip."""
        self._shots = tuple(VideoShot(video, shot) for shot in shots)

    def __len__(self) -> int:
        return len(self._shots)

    def __iter__(self) -> Iterator[VideoShot]:
        return iter(self._shots)

    def __reversed__(self) -> Iterator[VideoShot]:
        return reversed(self._shots)

    def __getitem__(self, number: int) -> VideoShot:
        """The shot of a number. Raises OutOfRangeError, an IndexError, where there is none."""
        number = _number(number)
        if 1 <= number <= len(self):
            return self._shots[number - 1]
        if -len(self) <= number <= -1:
            return self._shots[number]
        raise OutOfRangeError(
            f"there is no shot {number}", remedy=f"shots are numbered from 1 to {len(self)}; -1 is the last"
        )

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    def _repr_html_(self) -> str:
        return or_text(self, lambda: cards([repr(shot).strip("<>") for shot in self], self._picture_of))

    def _picture_of(self, place: int) -> tuple[IntFrames, int, Fraction]:
        from vedit.render.preview import middle_of

        shot = self._shots[place]
        (number,) = middle_of(self.plain[place])
        clip = shot.video.read(FrameRange(start=number, stop=number + 1))
        return clip.frames[0], clip.bit_depth, shot.video.metadata.sample_aspect_ratio


def check_shots(shots: Sequence[Shot]) -> None:
    """Raises SettingError where shots do not cover a clip from its first frame on, in order."""
    # Where the clip ends is only known when it was decoded: a plan looks there.
    starts = [0, *(shot.frames.stop for shot in shots[:-1])]
    if not shots or starts != [shot.frames.start for shot in shots] or not all(len(shot.frames) for shot in shots):
        raise SettingError("the shots do not cover the clip from frame 0 on", remedy="leave no gap and no overlap")
    if [shot.number for shot in shots] != list(range(1, len(shots) + 1)):
        raise SettingError("the shots are not numbered 1, 2, 3 ...", remedy="number them in their order")


class VideoShot:
    """One shot of a clip; see `Shots`."""

    def __init__(self, video: ShownClip, shot: Shot) -> None:
        self.video = video
        """The clip that it is of."""
        self.number = shot.number
        """From 1."""
        self.frames = shot.frames
        """Of the clip."""

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        start, stop = (float(moment) for moment in self.seconds)
        return f"<Shot {self.number}: #{self.frames.start}..#{self.frames.stop}, {start:.3f}..{stop:.3f} s>"

    @property
    def seconds(self) -> tuple[Fraction, Fraction]:
        """When it begins and ends, after the clip's first frame."""
        return self.video.index().span(self.frames)

    def read(self) -> Clip:
        """All its frames at once; `Video.chunks` streams them."""
        return self.video.read(self.frames)

    @checked
    @takes_model_settings
    def preview(
        self,
        edit: RestyleOptions,
        *,
        frames: Sequence[int] | None = None,
        on_progress: OnProgress = ignore_progress,
        **settings: Unpack[ModelSettings],
    ) -> Preview:
        """A few of its frames under an edit, before and after.

        Args:
            edit: how it would change.
            frames: numbers of frames in the clip; None is the shot's first, middle and last.
            on_progress: told before and after.
            settings: `model`, `device` and the like, as for `Video.render`, which makes of them what is shown here.

        Raises:
            InputError: the edit cannot be carried out, or a frame is not of this shot.
        """
        from vedit.render.preview import three_of

        numbers = None if frames is None else tuple(sorted(set(frames)))
        if numbers is not None and (not numbers or any(number not in self.frames for number in numbers)):
            raise InputError(
                f"shot {self.number} has no such frames: {list(numbers)}",
                remedy=f"it has #{self.frames.start} to #{self.frames.stop - 1}",
            )
        chosen = three_of if numbers is None else lambda shot: numbers  # pyright: ignore[reportUnknownLambdaType]
        (made,) = self.video.stills({self.number: edit}, chosen, on_progress=on_progress, **settings)
        return made

    @checked
    def as_html(self, count: int = 3) -> str:
        """Up to `count` of its frames with their numbers, as HTML that needs no other file."""
        return image_html(self._pictures(count), repr(self).strip("<>"))

    def _repr_html_(self) -> str:
        return or_text(self, self.as_html)

    def _repr_png_(self) -> bytes:
        return self._pictures(3)

    def _pictures(self, count: int) -> bytes:
        from vedit.render.preview import middle_of, three_of

        shot = Shot(number=self.number, frames=self.frames)
        clips = [
            self.video.read(FrameRange(start=number, stop=number + 1))
            for number in (middle_of(shot) if count == 1 else three_of(shot))
        ]
        return png(tiled([[thumbnail(clip.frames[0], clip.bit_depth) for clip in clips]]))


@checked
@dataclass(frozen=True, kw_only=True)
class Preview:
    """Frames of a shot before and after; shows itself in a notebook, the source above the result."""

    shot: Shot
    options: RestyleOptions
    numbers: tuple[int, ...]
    """Of the frames in the clip."""
    pairs: tuple[tuple[IntFrames, IntFrames], ...]
    """Source and result of each, (3, H, W) integers of `bit_depth`."""
    bit_depth: int = 8

    def __repr__(self) -> str:
        return f"<Preview of shot {self.shot.number}: {', '.join(f'#{number}' for number in self.numbers)}>"

    def _repr_png_(self) -> bytes:
        rows = [[thumbnail(pair[n], self.bit_depth, side=_PREVIEW_SIDE) for pair in self.pairs] for n in (0, 1)]
        return png(tiled(rows))

    @checked
    def save(self, path: Path | str) -> Path:
        """Write it as PNG, JPEG or WebP, labelled. Raises InputError where it cannot be written."""
        from vedit.display.contact_sheet import contact_sheet
        from vedit.render.preview import look_of

        rows = [[pair[n] for pair in self.pairs] for n in (0, 1)]
        labels = [
            [f"shot {self.shot.number}, frame {number}" for number in self.numbers],
            [look_of(self.options)] * len(self.numbers),
        ]
        return contact_sheet(rows, labels, Path(path), bit_depth=self.bit_depth)


def _number(number: object) -> int:
    if isinstance(number, slice):
        raise SettingError(
            "shots are taken one by one, by their numbers from 1",
            remedy="write list(video.shots)[:2] for the first two: a list counts from 0",
        )
    try:
        return index(number)  # pyright: ignore[reportArgumentType]
    except TypeError:
        raise SettingError(f"a shot has no number {shown(number)}", remedy="give a whole number from 1") from None


Edits = Mapping[int, RestyleOptions] | Mapping[VideoShot, RestyleOptions]
"""A shot, or its number from 1 -> how it changes."""
