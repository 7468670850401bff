"""DaVinci Resolve: restyle marked clips of the current timeline; each result becomes a take or a clip on a track above.

Runs from Workspace > Scripts, in the free edition too: it needs no window of its own, the console shows what it does.
See docs/nle/resolve.md.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from vedit.nle_hosts.launch import (
    DEFAULT_HANDLES,
    SETTINGS,
    HostError,
    Run,
    Spoken,
    find_vedit,
    restyle_words,
    result_path,
    with_handles,
)
from vedit.nle_hosts.resolve_api import Placed, Project, call, place, script_folders, whole
from vedit.nle_hosts.resolve_timeline import restyle_timeline

SETTINGS_FILE = "vedit-resolve.json"
_OWN: dict[str, Any] = {"result": "take", "color": "", "handles": DEFAULT_HANDLES, "folder": "", "vedit": ""}
_MARK = re.compile(r"^\s*\*?\s*VEDIT\s*(?::\s*(.*?)\s*)?$", re.I)


class Marked(NamedTuple):
    """A clip of the timeline that is to be restyled."""

    item: Any
    track: int
    prompt: str


class Shown(NamedTuple):
    """What a clip shows of its media."""

    source: Path
    first: int
    """Counted from the media's first frame."""
    length: int
    frames: int
    """Of the whole file."""


def main(resolve: Any) -> int:
    """Restyle what is marked. Returns how many clips were not restyled, or -1 where nothing could be begun."""
    try:
        settings = read_settings(script_folders())
        vedit = find_vedit(script_folders(), str(settings["vedit"]))
        project = Project.current(resolve)
        if settings["result"] == "timeline":
            path = restyle_timeline(resolve, project, settings, vedit, teller())
            say(f"imported {path}; the timeline that was open is as it was")
            return 0
        marked = list(find_marked(project, settings))
        if not marked:
            raise HostError(
                "no clip is marked: name a clip marker 'VEDIT' and write the prompt into its note, "
                f"or set a prompt in {SETTINGS_FILE}"
            )
    except HostError as error:
        say(f"nothing was done: {error}")
        return -1
    failed = 0
    for number, one in enumerate(marked, start=1):
        say(f"clip {number} of {len(marked)}: {one.prompt}")
        try:
            restyle_clip(project, one, settings, vedit)
        except HostError as error:
            failed += 1
            say(f"not restyled: {error}")
    say(f"{len(marked) - failed} of {len(marked)} clips restyled")
    return failed


def read_settings(folders: list[Path]) -> dict[str, Any]:
    """The settings file beside the script, over the defaults. Raises HostError at a key or value that is not known."""
    path = next((folder / SETTINGS_FILE for folder in folders if (folder / SETTINGS_FILE).is_file()), None)
    if path is None:
        return dict(_OWN)
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise HostError(f"{path} cannot be read: {error}") from None
    if not isinstance(told, dict):
        raise HostError(f"{path} is no JSON object")
    known = [*_OWN, *SETTINGS, "prompt"]
    settings = {**_OWN, **cast("dict[str, Any]", told)}
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise HostError(f"{path}: there is no setting {name!r}; the nearest is {near[0]!r}")
    if settings["result"] not in ("take", "track", "timeline"):
        raise HostError(f"{path}: result is 'take', 'track' or 'timeline', not {settings['result']!r}")
    if not isinstance(settings["handles"], int) or settings["handles"] < 0:
        raise HostError(f"{path}: handles is a number of frames, not {settings['handles']!r}")
    return settings


def find_marked(project: Project, settings: dict[str, Any]) -> Iterator[Marked]:
    """The clips with a VEDIT marker or the settings' colour; where there is none, the clip under the playhead."""
    default, color = str(settings.get("prompt") or ""), str(settings["color"])
    found = False
    for track in range(1, whole(project.timeline, "GetTrackCount", "video") + 1):
        for item in project.items(track):
            prompt = marked_prompt(call(item, "GetMarkers", none_is="no markers") or {})
            if prompt is None and color and call(item, "GetClipColor", none_is="no colour") == color:
                prompt = ""
            if prompt is not None:
                found = True
                if not (prompt or default):
                    raise HostError(f"a marker without a prompt, and none is set in {SETTINGS_FILE}")
                yield Marked(item, track, prompt or default)
    if not (found or color) and default:
        current = call(project.timeline, "GetCurrentVideoItem", why="there is no clip under the playhead")
        for track in range(1, whole(project.timeline, "GetTrackCount", "video") + 1):
            if any(project.same(item, current) for item in project.items(track)):
                yield Marked(current, track, default)
                return


def marked_prompt(markers: dict[float, dict[str, Any]]) -> str | None:
    """The prompt of a clip's VEDIT marker: behind `VEDIT:` in its name or note, or its note. None without a marker."""
    for frame in sorted(markers):
        name, note = (str(markers[frame].get(key) or "") for key in ("name", "note"))
        if _MARK.match(name):
            for line in (name, *note.splitlines()):
                match = _MARK.match(line)
                if match and match[1]:
                    return match[1]
            return " ".join(note.split())
        for line in note.splitlines():
            match = _MARK.match(line)
            if match and match[1]:
                return match[1]
    return None


def restyle_clip(project: Project, marked: Marked, settings: dict[str, Any], vedit: str) -> Placed:
    """Render what a clip shows and put it into the timeline. Raises HostError; then the timeline is as before."""
    shown = shown_by(project, marked.item)
    frames = with_handles(shown.first, shown.first + shown.length, shown.frames, settings["handles"])
    folder = Path(settings["folder"]).expanduser() if settings["folder"] else None
    if folder is not None and not folder.is_dir():
        raise HostError(f"the folder for results is not there: {folder}")
    look = {name: settings[name] for name in SETTINGS if name in settings}
    output = result_path(shown.source, folder)
    words = restyle_words(vedit, shown.source, output, frames, {**look, "prompt": marked.prompt})
    Run(words).follow(teller())
    try:
        return place(
            project,
            marked.item,
            output,
            track=marked.track,
            offset=shown.first - frames[0],
            length=shown.length,
            as_take=settings["result"] == "take",
        )
    except HostError as error:
        raise HostError(f"{error}; the result is {output}") from None


def shown_by(project: Project, item: Any) -> Shown:
    """What a clip shows of its media. Raises HostError where it does not show a file frame by frame."""
    name = str(call(item, "GetName"))
    media = call(item, "GetMediaPoolItem", why=f"{name} is a title or generator, it has no media")
    path = str(call(media, "GetClipProperty", "File Path", why=f"{name} has no file"))
    if not path or not Path(path).is_file():
        raise HostError(f"{name}: its media is not one file that is there: {path or 'a compound or generated clip'}")
    told = {key: str(call(media, "GetClipProperty", key)) for key in ("FPS", "Frames")}
    timeline_rate = str(call(project.timeline, "GetSetting", "timelineFrameRate"))
    try:
        rate, frames, wanted = float(told["FPS"]), int(told["Frames"]), float(timeline_rate.split()[0])
    except (ValueError, IndexError):
        raise HostError(f"{name}: Resolve does not tell its rate and length: {told}, {timeline_rate!r}") from None
    if abs(rate - wanted) > 0.005:
        raise HostError(f"{name} runs at {rate:g} frames/s in a timeline of {wanted:g}: conform it first")
    first, length = whole(item, "GetLeftOffset"), whole(item, "GetDuration")
    # Whether the end frame is the last one shown or the one behind it differs between versions: one frame is no retime.
    used = whole(item, "GetSourceEndFrame") - whole(item, "GetSourceStartFrame")
    if not length - 1 <= used <= length:
        raise HostError(f"{name} is retimed ({used} frames of media in {length}): restyle it before the retime")
    if first < 0 or first + length > frames:
        raise HostError(f"{name} shows frames {first}..{first + length} of a file of {frames}")
    return Shown(Path(path), first, length, frames)


def teller() -> Callable[[dict[str, Any]], None]:
    """Says the events of one run."""
    spoken = Spoken()

    def tell(event: dict[str, Any]) -> None:
        line = spoken.line(event)
        if line:
            say(line)

    return tell


def say(line: str) -> None:
    """A line in Resolve's console."""
    print(f"vedit: {line}", flush=True)  # noqa: T201 - Resolve's console


def find_resolve() -> Any:
    """The running Resolve: what it hands to its own scripts, else through its scripting module."""
    own = globals().get("resolve") or getattr(sys.modules.get("__main__"), "resolve", None)
    if own is not None:
        return own
    try:
        module: Any = __import__("DaVinciResolveScript")
    except ImportError:
        raise HostError("run this from Resolve: Workspace > Scripts") from None
    return call(module, "scriptapp", "Resolve", why="Resolve is not running, or does not allow scripts from outside")


if __name__ == "__main__":
    try:
        main(find_resolve())
    except HostError as problem:
        say(str(problem))
