"""DaVinci Resolve's scripting API, as far as its documentation tells and the script uses it, kept in memory.

Names, arguments and answers are those of the "README.txt" in Resolve's Developer/Scripting folder. Calls are recorded;
any of them can be made to fail as the documentation says calls do: nothing happens, and the answer is None or False.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

RATE = "24.0"
TIMELINE_START = 86400


@dataclass
class Log:
    """What was called, and which calls fail."""

    calls: list[str] = field(default_factory=list[str])
    fail: Callable[[int, str], bool] = lambda number, name: False
    answer: object = None


class Documented:
    """An object of the API: its public methods are recorded and can fail."""

    log: Log

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if not name[0].isupper() or name.startswith("EXPORT_"):
            return found
        log: Log = self.log
        called = f"{type(self).__name__}.{name}"

        @wraps(found)
        def method(*values: Any) -> Any:
            log.calls.append(called)
            if log.fail(len(log.calls) - 1, called):
                return log.answer
            return found(*values)

        return method


class MediaPoolItem(Documented):
    """A clip of the media pool."""

    def __init__(self, log: Log, path: str, frames: int) -> None:
        self.log, self.path, self.frames = log, path, frames
        self.properties = {"File Path": path, "FPS": RATE, "Frames": str(frames)}

    def GetClipProperty(self, name: str) -> str:  # noqa: N802
        return self.properties.get(name, "")


class TimelineItem(Documented):
    """A clip of the timeline."""

    numbers = count(1)

    def __init__(self, log: Log, media: MediaPoolItem | None, *, start: int, duration: int, left: int) -> None:
        self.log, self.media, self.start, self.duration, self.left = log, media, start, duration, left
        self.inclusive = False
        self.source_length = duration
        self.markers: dict[float, dict[str, Any]] | None = {}
        self.color = ""
        self.takes: list[tuple[MediaPoolItem | None, int]] = []
        self.selected = 0
        self.take_shift = 0
        self.take_length = 0
        """Frames of the take that was added last."""
        self.number = next(self.numbers)

    def shows(self) -> tuple[object, int, int, int, int]:
        """What a viewer sees of it, and how many takes there are beside the clip itself."""
        return self.media, self.left, self.start, self.duration, max(0, len(self.takes) - 1)

    def GetName(self) -> str:  # noqa: N802
        return f"clip {self.number}"

    def GetUniqueId(self) -> str:  # noqa: N802
        return f"id-{self.number}"

    def GetMarkers(self) -> dict[float, dict[str, Any]] | None:  # noqa: N802
        return self.markers

    def GetClipColor(self) -> str:  # noqa: N802
        return self.color

    def GetMediaPoolItem(self) -> MediaPoolItem | None:  # noqa: N802
        return self.media

    def GetStart(self) -> int:  # noqa: N802
        return self.start

    def GetEnd(self) -> int:  # noqa: N802
        return self.start + self.duration

    def GetDuration(self) -> int:  # noqa: N802
        return self.duration

    def GetLeftOffset(self) -> int:  # noqa: N802
        return self.left

    def GetSourceStartFrame(self) -> int:  # noqa: N802
        return self.left

    def GetSourceEndFrame(self) -> int:  # noqa: N802
        return self.left + self.source_length - (1 if self.inclusive else 0)

    def GetTakesCount(self) -> int:  # noqa: N802
        return len(self.takes)

    def GetSelectedTakeIndex(self) -> int:  # noqa: N802
        return self.selected

    def AddTake(self, media: MediaPoolItem, first: int, last: int) -> bool:  # noqa: N802
        end = last + (1 if self.inclusive else 0)
        if not 0 <= first < end <= media.frames:
            return False
        if not self.takes:
            self.takes, self.selected = [(self.media, self.left)], 1
        self.takes.append((media, first + self.take_shift))
        self.take_length = end - first
        return True

    def SelectTakeByIndex(self, number: int) -> bool:  # noqa: N802
        if not 1 <= number <= len(self.takes):
            return False
        self.selected = number
        self.media, self.left = self.takes[number - 1]
        return True

    def DeleteTakeByIndex(self, number: int) -> bool:  # noqa: N802
        if not 1 <= number <= len(self.takes) or number == self.selected:
            return False
        del self.takes[number - 1]
        return True


class Timeline(Documented):
    """The current timeline: video tracks of clips, the lowest first."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.tracks: list[list[TimelineItem]] = [[]]
        self.playhead: TimelineItem | None = None
        self.refused: tuple[str, ...] = ()
        """Formats that are there and not written."""
        self.bundles = False

    def GetName(self) -> str:  # noqa: N802
        return "Reel 1 / cut"

    def Export(self, path: str, kind: str, subtype: str) -> bool:  # noqa: N802
        assert Path(path).suffix == f".{kind.split()[0]}" and subtype == "none"
        if kind in self.refused:
            return False
        if self.bundles:
            Path(path).mkdir()
            Path(path, "Info.fcpxml").write_text("<fcpxml/>", "utf-8")
        else:
            Path(path).write_text("<fcpxml/>", "utf-8")
        return True

    def GetTrackCount(self, kind: str) -> int:  # noqa: N802
        assert kind == "video"
        return len(self.tracks)

    def GetItemListInTrack(self, kind: str, number: int) -> list[TimelineItem]:  # noqa: N802
        assert kind == "video"
        return list(self.tracks[number - 1])

    def GetCurrentVideoItem(self) -> TimelineItem | None:  # noqa: N802
        return self.playhead

    def GetSetting(self, name: str) -> str:  # noqa: N802
        return RATE if name == "timelineFrameRate" else ""

    def AddTrack(self, kind: str) -> bool:  # noqa: N802
        assert kind == "video"
        self.tracks.append([])
        return True

    def DeleteTrack(self, kind: str, number: int) -> bool:  # noqa: N802
        assert kind == "video" and not self.tracks[number - 1]
        del self.tracks[number - 1]
        return True

    def DeleteClips(self, items: list[TimelineItem]) -> bool:  # noqa: N802
        for track in self.tracks:
            track[:] = [item for item in track if item not in items]
        return True


class MediaPool(Documented):
    """The media pool of the current project."""

    def __init__(self, log: Log, timeline: Timeline, *, frames: Callable[[], int]) -> None:
        self.log, self.timeline, self.frames = log, timeline, frames
        self.clips: list[MediaPoolItem] = []
        self.inclusive = False
        """Whether an end counts itself, as before Resolve 19."""
        self.shift = 0
        self.timelines: list[str] = []

    def ImportTimelineFromFile(self, path: str, options: dict[str, Any]) -> Timeline:  # noqa: N802
        assert set(options) == {"timelineName", "importSourceClips"} and Path(path).is_file()
        self.timelines.append(options["timelineName"])
        return Timeline(self.log)

    def ImportMedia(self, paths: list[str]) -> list[MediaPoolItem]:  # noqa: N802
        added = [MediaPoolItem(self.log, path, self.frames()) for path in paths]
        self.clips += added
        return added

    def DeleteClips(self, clips: list[MediaPoolItem]) -> bool:  # noqa: N802
        self.clips = [clip for clip in self.clips if clip not in clips]
        return True

    def AppendToTimeline(self, wanted: list[dict[str, Any]]) -> list[TimelineItem]:  # noqa: N802
        added: list[TimelineItem] = []
        for one in wanted:
            assert set(one) == {"mediaPoolItem", "startFrame", "endFrame", "mediaType", "trackIndex", "recordFrame"}
            length = one["endFrame"] - one["startFrame"] + (1 if self.inclusive else 0)
            track = self.timeline.tracks[one["trackIndex"] - 1]
            start = one["recordFrame"] + self.shift
            assert all(item.start >= start + length or item.GetEnd() <= start for item in track), "it would overwrite"
            item = TimelineItem(self.log, one["mediaPoolItem"], start=start, duration=length, left=one["startFrame"])
            track.append(item)
            added.append(item)
        return added


class Project(Documented):
    """The open project."""

    def __init__(self, log: Log, timeline: Timeline, pool: MediaPool) -> None:
        self.log, self.timeline, self.pool = log, timeline, pool

    def GetCurrentTimeline(self) -> Timeline:  # noqa: N802
        return self.timeline

    def GetMediaPool(self) -> MediaPool:  # noqa: N802
        return self.pool


class ProjectManager(Documented):
    """Leads to the open project."""

    def __init__(self, log: Log, project: Project) -> None:
        self.log, self.project = log, project

    def GetCurrentProject(self) -> Project:  # noqa: N802
        return self.project


class Resolve(Documented):
    """The application."""

    EXPORT_FCPXML_1_10 = "fcpxml 1.10"
    EXPORT_NONE = "none"

    def __init__(self, log: Log, manager: ProjectManager) -> None:
        self.log, self.manager = log, manager

    def GetProjectManager(self) -> ProjectManager:  # noqa: N802
        return self.manager
