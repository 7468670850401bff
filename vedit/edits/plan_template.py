"""The plan file that `vedit plan` writes: every shot, and a commented line for what can be said of it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.checks.setting import settings_of
from vedit.errors import InputError
from vedit.media.reading.chapters import read_chapters
from vedit.media.writing.atomic import write_whole
from vedit.models.resolve import resolve
from vedit.models.source import DEFAULT
from vedit.options.request import RestyleOptions
from vedit.shots.corrections import span_text
from vedit.thumbnail import png, thumbnail
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.shots.corrections import ShotList
    from vedit.types import Shot

_SHOWN = {one.key: one.said() for one in settings_of(RestyleOptions) if one.about.common and one.key != "prompt"}
"""Key -> what it says."""
_SIDE = 320
_WIDTH = 110


def plan_text(
    reader: Reader,
    found: ShotList,
    *,
    source: str,
    prompt: str = "",
    rate: Fraction | None = None,
    track: int | None = None,
    thumbnails: Sequence[str] = (),
) -> str:
    """A plan with one default look and no edits.

    Args:
        reader: of the clip.
        found: its shots.
        source: the clip as the plan names it, from the plan's folder.
        prompt: of the default look; empty leaves every shot untouched.
        rate: frames per second of an image sequence, where it was given.
        track: number of the video stream, where it was given.
        thumbnails: a picture for each shot, as the plan names it; none where they were not written.

    Raises:
        InputError: the clip has a name that no text can hold.
    """
    shots = "1 shot" if len(found.shots) == 1 else f"{len(found.shots)} shots"
    plain = RestyleOptions()
    usual: dict[str, object] = {key: getattr(plain, key) for key in _SHOWN}
    usual |= {
        "controls": [spec.kind for spec in plain.controls],
        "guidance": resolve(DEFAULT).traits.guidance,
        "variation": 0,
    }
    usual["keyframes"] = "auto"
    usual["anchor"] = f"#{found.shots[0].frames.start}"
    lines = [
        *_comment(f"A plan for {Path(source).name}"),
        "#",
        f"# {shots}. `vedit edit` renders the clip; after a change here, it renders the shots that the change touches.",
        "# Times are seconds, timecode or #frame; the end is exclusive.",
        "# A shot's inversion is kept: another prompt, negative prompt or guidance goes on from it.",
        "",
        f"source = {quoted(source)}",
        *([f'rate = "{rate}"'] if rate is not None else []),
        *([f"track = {track}"] if track is not None else []),
        '# output = "out.mp4"',
        '# model = "embedded"',
        "",
        "[default]  # the look of every shot that says nothing else; without a prompt a shot passes through",
        f"prompt = {quoted(prompt)}",
        *(f"# {key} = {json.dumps(usual[key])}  # {about}" for key, about in _SHOWN.items()),
        "",
        *_edits(reader),
    ]
    index = reader.index()
    for number, shot in enumerate(found.shots):
        transition = found.into(shot)
        lines += ["", f"[[shot]]  # {span_text(index, shot)}"]
        if transition is not None:
            lines.append(f"# {transition.kind} at #{transition.frames.start}..#{transition.frames.stop}")
        if thumbnails:
            lines += _comment(thumbnails[number])
        lines += [
            f"number = {shot.number}",
            f'frames = "#{shot.frames.start}..#{shot.frames.stop}"',
            '# prompt = "night"',
            "# untouched = true",
            "# locked = true",
        ]
    return "\n".join(lines) + "\n"


def thumbnail_files(shots: Sequence[Shot], folder: Path, *, overwrite: bool) -> list[Path]:
    """The pictures of the shots in a folder, by name. Raises InputError where one is in the way."""
    files = [folder / f"shot_{shot.number:03d}.png" for shot in shots]
    linked = next((path for path in (folder, *files) if path.is_symlink()), None)
    if linked is not None:
        raise InputError(f"{linked} is a link", remedy="remove it, or use --no-thumbnails")
    there = next((path for path in files if path.exists()), None)
    if there is not None and not overwrite:
        raise InputError(f"{there} exists", remedy="use --overwrite, or --no-thumbnails")
    return files


def write_thumbnails(reader: Reader, shots: Sequence[Shot], files: Sequence[Path]) -> None:
    """The middle frame of each shot as a small PNG.

    Args:
        reader: of the clip.
        shots: of the clip.
        files: from `thumbnail_files`; their folder is made.

    Raises:
        InputError: one cannot be written.
    """
    for shot, file in zip(shots, files, strict=True):
        middle = (shot.frames.start + shot.frames.stop - 1) // 2
        clip = reader.read(FrameRange(start=middle, stop=middle + 1))
        try:
            file.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to {file.parent}: {error.strerror}") from error
        write_whole(file, png(thumbnail(clip.frames[0], clip.bit_depth, side=_SIDE)))


def quoted(text: str) -> str:
    """A TOML basic string. Raises InputError where the text, the name of a file for instance, is not Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{text!r} is not Unicode, as a plan must be", remedy="use another name or text") from None
    told = json.dumps(text, ensure_ascii=False)
    # JSON leaves DEL as it is, which TOML does not allow.
    return told.replace("\x7f", "\\u007f")


def _comment(text: str) -> list[str]:
    """A text in lines of a comment; what is no sign to be seen is left out of it."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    return textwrap.wrap(shown, _WIDTH, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)


def _edits(reader: Reader) -> list[str]:
    chapters = [chapter.title for chapter in read_chapters(reader.metadata.path) if chapter.title]
    lines = [
        "# [[edit]]  # some shots at once: by shots = [2, 5], by range, or by the title of a chapter",
        "# shots = [1]",
    ]
    if chapters:
        lines.append("# or, in the place of shots, one of the clip's chapters:")
        lines += [f"# marker = {quoted(title)}" for title in dict.fromkeys(chapters)]
    return [*lines, '# prompt = "pencil sketch"']
