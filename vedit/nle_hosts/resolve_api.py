"""Resolve's scripting API as this project uses it: every call is checked, and a failed placing is taken back.

By its documentation ("README.txt" of its Developer/Scripting folder) a call answers None or False where it fails.
"""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple, cast

from vedit.nle_hosts.launch import HostError

MAX_TRACKS = 100


class Placed(NamedTuple):
    """Where a result went."""

    media: Any
    take: int
    """Its number in the clip's take selector; 0 where it lies on a track of its own."""
    track: int


def call(owner: Any, name: str, *values: Any, why: str = "", none_is: str = "") -> Any:
    """Call a method of Resolve's.

    Args:
        owner: one of Resolve's objects.
        name: the method.
        values: what it is given.
        why: what its failure means, for the user.
        none_is: what None means where it is no failure; "" where it is one.

    Raises:
        HostError: it answered False, or None; it is not there in this version; or it raised.
    """
    kind = type(owner).__name__
    method = getattr(owner, name, None)
    if method is None:
        raise HostError(f"this version of Resolve has no {name}{f': {why}' if why else ''}")
    try:
        answer = method(*values)
    except Exception as error:
        raise HostError(f"Resolve's {kind}.{name} failed: {error}") from error
    if answer is False or (answer is None and not none_is):
        raise HostError(why or f"Resolve's {kind}.{name} answered {answer}")
    return answer


def whole(owner: Any, name: str, *values: Any) -> int:
    """A method's answer as a whole number. Raises HostError as `call` does, and where it is no number."""
    answer = call(owner, name, *values)
    try:
        return round(float(answer))
    except (TypeError, ValueError):
        raise HostError(f"Resolve's {type(owner).__name__}.{name} answered {answer!r}, which is no number") from None


class Project(NamedTuple):
    """What is open in Resolve."""

    timeline: Any
    pool: Any

    @classmethod
    def current(cls, resolve: Any) -> Project:
        """The current timeline and its media pool. Raises HostError where one is missing."""
        manager = call(resolve, "GetProjectManager")
        project = call(manager, "GetCurrentProject", why="no project is open")
        timeline = call(project, "GetCurrentTimeline", why="no timeline is open")
        return cls(timeline, call(project, "GetMediaPool"))

    def items(self, track: int) -> list[Any]:
        """The clips of a video track."""
        return list(call(self.timeline, "GetItemListInTrack", "video", track))

    def same(self, one: Any, other: Any) -> bool:
        """Whether two objects are one clip: Resolve makes new objects at each call."""
        return call(one, "GetUniqueId") == call(other, "GetUniqueId")


def place(project: Project, item: Any, path: Path, *, track: int, offset: int, length: int, as_take: bool) -> Placed:
    """Import a result and show it in place of a clip: as a selected take, or on a free track above.

    Args:
        project: where.
        item: the clip that was restyled.
        path: the result.
        track: the clip's video track.
        offset: the frame of the result that is shown first.
        length: frames shown.
        as_take: add a take; False is a clip of its own.

    Raises:
        HostError: Resolve refused, or the result would not lie as the clip does; then what was added is removed.
    """
    imported = call(project.pool, "ImportMedia", [str(path)], why="Resolve did not import the result")
    if not imported:
        raise HostError("Resolve did not import the result")
    media = imported[0]
    try:
        if as_take:
            return Placed(media, _add_take(item, media, offset, length), 0)
        return Placed(media, 0, _add_above(project, item, media, track, offset, length))
    except HostError as error:
        raise HostError(str(error) + _undone(project.pool, "DeleteClips", [media])) from None


def _ends(offset: int, length: int) -> tuple[int, int]:
    """What `endFrame` may be for so many frames: since Resolve 19 the one behind the last, before it the last one."""
    return offset + length, offset + length - 1


def _add_take(item: Any, media: Any, offset: int, length: int) -> int:
    before, chosen = whole(item, "GetTakesCount"), whole(item, "GetSelectedTakeIndex")
    # Without takes before, the clip itself becomes take 1.
    number = max(before, 1) + 1
    problem: HostError | None = None
    for last in _ends(offset, length):
        try:
            call(item, "AddTake", media, offset, last, why="Resolve did not add the take")
        except HostError as error:
            # An end behind the media's last frame is refused where it counts itself.
            problem = problem or error
            continue
        try:
            call(item, "SelectTakeByIndex", number, why="Resolve did not select the take")
            if whole(item, "GetDuration") != length:
                raise HostError("the clip's length changed with the take; set result to 'track'")
            if whole(item, "GetLeftOffset") != offset:
                raise HostError("the take does not begin at the clip's first frame; set result to 'track'")
            return number
        except HostError as error:
            left = _undone(item, "SelectTakeByIndex", max(chosen, 1)) + _undone(item, "DeleteTakeByIndex", number)
            problem = HostError(str(error) + left)
            if left or "length changed" not in str(error):
                break
    assert problem is not None  # each way of counting has ended in one
    raise problem


def _add_above(project: Project, item: Any, media: Any, track: int, offset: int, length: int) -> int:
    start, timeline = whole(item, "GetStart"), project.timeline
    count = whole(timeline, "GetTrackCount", "video")
    # One frame more has to be free: where an end counts itself, the first try is longer by one.
    stop = start + length + 1
    above = next((n for n in range(track + 1, count + 1) if _is_free(project, n, start, stop)), count + 1)
    if above > MAX_TRACKS:
        raise HostError("there is no room for a further track")
    if above > count:
        call(timeline, "AddTrack", "video", why="Resolve did not add a track")
    try:
        # What was placed tells how this version counts.
        for last in _ends(offset, length):
            wanted = {"mediaPoolItem": media, "startFrame": offset, "endFrame": last, "mediaType": 1}
            wanted.update(trackIndex=above, recordFrame=start)
            added = call(project.pool, "AppendToTimeline", [wanted], why="Resolve did not place the result")
            if not added or added[0] is None:
                raise HostError("Resolve did not place the result")
            try:
                fits = (whole(added[0], "GetStart"), whole(added[0], "GetDuration")) == (start, length)
            except HostError as error:
                raise HostError(str(error) + _undone(timeline, "DeleteClips", list(added))) from None
            if fits:
                return above
            call(timeline, "DeleteClips", list(added), why="a result in the wrong place could not be removed: undo it")
        raise HostError("Resolve placed the result elsewhere than the clip")
    except HostError as error:
        left = _undone(timeline, "DeleteTrack", "video", above) if above > count else ""
        raise HostError(str(error) + left) from None


def _is_free(project: Project, track: int, start: int, stop: int) -> bool:
    return all(whole(i, "GetStart") >= stop or whole(i, "GetEnd") <= start for i in project.items(track))


def _undone(owner: Any, name: str, *values: Any) -> str:
    """Take something back; where that fails too, what to tell behind the first error."""
    try:
        call(owner, name, *values)
    except HostError:
        return f"; {name} failed too: use Edit > Undo"
    return ""


def script_folders() -> list[Path]:
    """Where this script and what was installed with it may lie; Resolve does not always tell a script its file."""
    folders: list[Path] = []
    for told in (globals().get("__file__"), inspect.currentframe().f_code.co_filename):  # pyright: ignore[reportOptionalMemberAccess]
        if isinstance(told, str) and Path(told).is_file():
            folders.append(Path(told).resolve().parent)
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library/Application Support/Blackmagic Design/DaVinci Resolve"
    elif sys.platform == "win32":
        base = Path(cast(str, os.environ.get("APPDATA", str(home)))) / "Blackmagic Design/DaVinci Resolve/Support"
    else:
        base = home / ".local/share/DaVinciResolve"
    return [*folders, base / "Fusion/Scripts/Utility"]
