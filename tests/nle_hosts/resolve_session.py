"""An open project of the fake Resolve, and a fake `vedit` beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.nle_hosts.fake_resolve import (
    TIMELINE_START,
    Log,
    MediaPool,
    MediaPoolItem,
    Project,
    ProjectManager,
    Resolve,
    Timeline,
    TimelineItem,
)
from vedit.nle_hosts import resolve as script
from vedit.nle_hosts.launch import HostError

MEDIA_FRAMES = 100
LEFT, LENGTH, HANDLES = 20, 40, 8


class Session:
    """An open project: a marked clip on track 1, another that covers a part of it on track 2, and a fake `vedit`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = Log()
        self.source = folder / "A001.mov"
        self.source.write_bytes(b"")
        self.media = MediaPoolItem(self.log, str(self.source), MEDIA_FRAMES)
        self.timeline = Timeline(self.log)
        self.clip = TimelineItem(self.log, self.media, start=TIMELINE_START + 10, duration=LENGTH, left=LEFT)
        self.clip.markers = {3.0: {"name": "VEDIT", "note": "ink drawing", "color": "Blue", "duration": 1.0}}
        cover = TimelineItem(self.log, self.media, start=TIMELINE_START + 30, duration=5, left=0)
        self.timeline.tracks = [[self.clip], [cover]]
        self.words: list[list[str]] = []
        self.error = ""
        self.rendered = 0
        self.pool = MediaPool(self.log, self.timeline, frames=lambda: self.rendered)
        project = Project(self.log, self.timeline, self.pool)
        self.resolve = Resolve(self.log, ProjectManager(self.log, project))

    def snapshot(self) -> tuple[object, ...]:
        """All that an editor sees of the timeline and the media pool."""
        tracks = [[item.shows() for item in track] for track in self.timeline.tracks]
        return tracks, list(self.pool.clips), list(self.pool.timelines)

    def run(self, words: list[str]) -> FakeRun:
        """Stands in for `launch.Run`."""
        self.words.append(words)
        output = Path(words[words.index("-o") + 1])
        output.write_bytes(b"")
        if words[1] == "timeline":
            if Path(words[2]).is_dir():
                output.unlink()
                shutil.copytree(words[2], output)
            return FakeRun(self.error)
        first, stop = (int(end.strip("#")) for end in words[5].split("=")[1].split(".."))
        self.rendered = stop - first
        return FakeRun(self.error)

    def reset(self) -> None:
        """Undo a run that went well."""
        self.pool.timelines = []
        added, self.pool.clips = self.pool.clips, []
        tracks = (
            [item for item in track if item.media not in added or item is self.clip] for track in self.timeline.tracks
        )
        self.timeline.tracks = [track for track in tracks if track]
        self.clip.left = self.clip.takes[0][1] if self.clip.takes else self.clip.left
        self.clip.media, self.clip.takes, self.clip.selected = self.media, [], 0

    def settings(self, **values: Any) -> None:
        """The settings file beside the script."""
        (self.folder / script.SETTINGS_FILE).write_text(json.dumps(values), "utf-8")


class FakeRun:
    def __init__(self, error: str) -> None:
        self.error = error

    def follow(self, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        tell({"event": "progress", "stage": "sample", "done": 5, "total": 10})
        if self.error:
            raise HostError(self.error)
        return {"output": "x"}
