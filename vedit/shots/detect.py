"""Where shots begin: a detector, fed with our own frames and keyed by our own index; PySceneDetect's are built in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from vedit.checks.arguments import checked
from vedit.checks.bounds import one_of
from vedit.errors import InputError, SettingError
from vedit.media.reading.index import ignore_frames
from vedit.protocols import Reader, ShotDetector
from vedit.registry.shot_detectors import DEFAULT, shot_detectors
from vedit.shots.cut_check import CutCheck
from vedit.shots.small_frames import row_of, small_bgr
from vedit.shots.transitions import Transition, TransitionDetector
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from vedit.types import Clip

DetectorName = Literal["adaptive", "content", "histogram", "hash", "threshold"]
USUAL: dict[DetectorName, float] = {
    "adaptive": 3.0,
    "content": 27.0,
    "histogram": 0.2,
    "hash": 0.35,
    "threshold": 12.0,
}
"""Name -> its usual threshold; what each looks at is in `vedit.registry.shot_detectors`."""
THRESHOLD = USUAL["adaptive"]
"""How many times more a frame must differ from its predecessor than its neighbours do."""
MINIMUM_CHANGE = 15.0
"""Levels of 255, mean over hue, saturation and value, that a frame must differ in any case."""
MINIMUM_SECONDS = Fraction(1, 8)


_AROUND = 2
"""Frames on either side that a change is compared with."""
_CHUNK_BYTES = 64 << 20


class ContentShotDetector:
    """A `ShotDetector` by what the pictures show: one of PySceneDetect's detectors, its changes looked at again.

    With the default, a change counts by its ratio to the changes around it, so a whip pan or a shaking camera is no
    cut. What a detector is told as the time is a plain count of the frames pushed: on a variable frame rate its own
    frame numbers are only approximate, and a count cannot be wrong.

    A change is a cut where `CutCheck` says so and it lies in no fade or dissolve. Where a picture fades out to black or
    white and another one fades in from there, the second shot begins with the fade in; the blank frames are the first
    one's. `threshold` is asked for cuts in the middle of such a blank, and its cuts stay as they are.

    Args:
        threshold: from which a change is a cut; lower finds more. None is the detector's usual one, see `USUAL`.
        minimum_seconds: a cut sooner than this after the last one is dropped, so a flash makes no shot of its own; the
            clip's first frame is no cut, so a stray frame before the first cut stays a shot.
        detector: which one.

    Raises:
        SettingError: a threshold that no clip passes or that all do.
    """

    def __init__(
        self,
        *,
        threshold: float | None = None,
        minimum_seconds: Fraction = MINIMUM_SECONDS,
        detector: DetectorName = "adaptive",
    ) -> None:
        if minimum_seconds < 0:
            raise SettingError(f"minimum_seconds is {minimum_seconds}", remedy="give 0 or more")
        one_of("detector", detector, tuple(USUAL))
        self._detector = _make(detector, USUAL[detector] if threshold is None else threshold)
        self._minimum_seconds = minimum_seconds
        self._seconds: list[Fraction] = []
        self._first = 0
        self._pushed = 0
        self._last: npt.NDArray[np.uint8] | None = None
        self._cuts: list[int] = []
        self._check = None if detector == "threshold" else CutCheck()
        self._fades = TransitionDetector()

    def push(self, clip: Clip) -> None:
        """The next frames, in order.

        Raises:
            ValueError: the clip does not begin where the last one ended.
        """
        if not self._seconds:
            self._first = clip.start
        elif clip.start != self._first + len(self._seconds):
            raise ValueError(f"frame {self._first + len(self._seconds)} comes next, got {clip.start}")
        for frame, pts in zip(clip.frames, clip.pts, strict=True):
            image = small_bgr(frame, clip.bit_depth)
            row = row_of(image)
            self._fades.see(row, self._first + len(self._seconds))
            if self._check is not None:
                self._check.see(row)
            if self._last is None:
                self._repeat(image)
            self._see(image)
            self._last = image
            self._seconds.append(pts * clip.time_base)

    def finish(self) -> tuple[Shot, ...]:
        """The shots of all frames pushed, without gap or overlap; none where no frame was pushed."""
        if self._last is None:
            return ()
        self._repeat(self._last)
        starts = [0]
        for cut in self._checked():
            if not starts[-1] < cut < len(self._seconds):
                continue
            if len(starts) == 1 or self._seconds[cut] - self._seconds[starts[-1]] >= self._minimum_seconds:
                starts.append(cut)
        stops = [*starts[1:], len(self._seconds)]
        return tuple(
            Shot(number=number, frames=FrameRange(start=self._first + start, stop=self._first + stop))
            for number, (start, stop) in enumerate(zip(starts, stops, strict=True), start=1)
        )

    def transitions(self) -> tuple[Transition, ...]:
        """The fades and dissolves in all frames pushed, in order, without overlap."""
        return self._fades.finish()

    def _checked(self) -> list[int]:
        """The cuts that are left, counted from the first frame pushed."""
        if self._check is None:
            return self._cuts
        cuts, gradual = self._check.finish()
        spans = [
            (found.kind, found.frames.start - self._first, found.frames.stop - self._first)
            for found in self.transitions()
        ]
        # The frame behind the last mixed one may still hold a change: there the picture is as it will stay.
        starts = {cut for cut in cuts if not any(start <= cut <= stop for _, start, stop in spans)}
        for begins in gradual:
            fade = next(
                (start for kind, start, stop in spans if kind == "fade in" and _near(begins, start, stop)), begins
            )
            starts.add(fade)
        return sorted(starts)

    def _repeat(self, image: npt.NDArray[np.uint8]) -> None:
        """A still run before the first and after the last frame, so that cuts near the ends have neighbours too."""
        for _ in range(_AROUND):
            self._see(image)

    def _see(self, image: npt.NDArray[np.uint8]) -> None:
        from scenedetect import FrameTimecode

        found = self._detector.process_frame(FrameTimecode(self._pushed, fps=25.0), image)
        for cut in found:
            self._cuts.append(cut.frame_num - _AROUND)
            if self._check is not None:
                self._check.change(cut.frame_num - _AROUND)
        self._pushed += 1


@runtime_checkable
class FindsTransitions(Protocol):
    """A shot detector that finds fades and dissolves too."""

    def transitions(self) -> Sequence[Transition]:
        """Those in all frames pushed, in order, without overlap."""
        ...


adaptive = partial(ContentShotDetector, detector="adaptive")
content = partial(ContentShotDetector, detector="content")
histogram = partial(ContentShotDetector, detector="histogram")
perceptual_hash = partial(ContentShotDetector, detector="hash")
fades = partial(ContentShotDetector, detector="threshold")


def make_detector(
    name: str = DEFAULT, *, threshold: float | None = None, minimum_seconds: Fraction = MINIMUM_SECONDS
) -> ShotDetector:
    """A shot detector by name, plug-ins included.

    Args:
        name: as `vedit.registry.shot_detectors` lists it.
        threshold: what counts as a cut, on the detector's own scale; None is its usual one.
        minimum_seconds: a cut sooner than this after the last one is none.

    Raises:
        InputError: there is none of that name, or it cannot be loaded, or is no shot detector.
        SettingError: a threshold that the detector does not take.
    """
    entry = shot_detectors()[name]
    made = entry.load()(threshold=threshold, minimum_seconds=minimum_seconds)
    if not isinstance(made, ShotDetector):
        raise InputError(
            f"{name!r} of {entry.origin} makes no shot detector but {type(made).__name__}",
            remedy=f"mend or uninstall {entry.origin}",
        )
    return made


@checked
def detect_shots(
    source: Path | str | Reader,
    *,
    frames: FrameRange | None = None,
    threshold: float | None = None,
    detector: str = DEFAULT,
    minimum_seconds: Fraction = MINIMUM_SECONDS,
    on_frames: Callable[[int], None] = ignore_frames,
) -> tuple[Shot, ...]:
    """The shots of a clip, numbered from 1, that cover it without gap or overlap; memory does not grow with length.

    Args:
        source: a file, or a reader that is open already.
        frames: the part to look at; None is all.
        threshold: see `make_detector`.
        detector: see `make_detector`.
        minimum_seconds: see `make_detector`.
        on_frames: told how many frames are looked at, now and then.

    Raises:
        MediaError: the file cannot be read.
        InputError: there is no such detector, or what it found leaves a gap.
        SettingError: a threshold that no clip passes or that all do, or a part that is not of the clip.
    """
    found = make_detector(detector, threshold=threshold, minimum_seconds=minimum_seconds)
    if isinstance(source, Path | str):
        from vedit.media.reading.read import open_video

        with open_video(Path(source)) as reader:
            show_frames(reader, frames, found, on_frames)
    else:
        show_frames(source, frames, found, on_frames)
    return whole(found.finish(), detector)


def whole(shots: Sequence[Shot], detector: str) -> tuple[Shot, ...]:
    """What a detector found, held to its contract. Raises InputError for a gap, an overlap or a number out of order."""
    for before, after in pairwise(shots):
        if (after.number, after.frames.start) != (before.number + 1, before.frames.stop):
            entry = shot_detectors()[detector]
            raise InputError(
                f"the shot detector {detector!r} of {entry.origin} has shot {after.number} begin at "
                f"#{after.frames.start} behind shot {before.number}, which ends before #{before.frames.stop}",
                remedy=f"mend or uninstall {entry.origin}",
            )
    return tuple(shots)


def show_frames(
    reader: Reader,
    frames: FrameRange | None,
    detector: ShotDetector,
    on_frames: Callable[[int], None] = ignore_frames,
) -> None:
    """Every frame of a part, once and in order, to a detector; None is the whole clip."""
    metadata = reader.metadata
    size = max(1, _CHUNK_BYTES // (metadata.width * metadata.height * 4 * (1 if metadata.bit_depth == 8 else 2)))
    done = 0
    for clip in reader.chunks(FrameRange(start=0, stop=len(reader.index())) if frames is None else frames, size):
        detector.push(clip)
        done += len(clip)
        on_frames(done)


def _near(begins: int, start: int, stop: int) -> bool:
    """Whether a picture that comes out of the blank does so in a fade, or shortly before."""
    return start - _AROUND * 2 <= begins <= stop


def _make(name: DetectorName, threshold: float) -> Any:
    """One of PySceneDetect's, without a minimum length of its own. Raises ValueError."""
    from scenedetect import detectors

    if name == "adaptive":
        if threshold <= 1:
            raise SettingError(
                f"the threshold is {threshold:g}", remedy=f"give a ratio above 1; {THRESHOLD:g} is usual"
            )
        return detectors.AdaptiveDetector(
            adaptive_threshold=threshold, min_scene_len=0, window_width=_AROUND, min_content_val=MINIMUM_CHANGE
        )
    top = 255 if name in ("content", "threshold") else 1
    if not 0 < threshold < top:
        usual = USUAL[name]
        raise SettingError(
            f"the threshold of {name} is {threshold:g}", remedy=f"give one between 0 and {top}; {usual:g} is usual"
        )
    if name == "content":
        return detectors.ContentDetector(threshold=threshold, min_scene_len=0)
    if name == "histogram":
        return detectors.HistogramDetector(threshold=threshold, min_scene_len=0)
    if name == "hash":
        return detectors.HashDetector(threshold=threshold, min_scene_len=0)
    return detectors.ThresholdDetector(threshold=threshold, min_scene_len=0)
