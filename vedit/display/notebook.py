"""What a notebook shows of a clip, a plan and a result: HTML that needs no other file, no network and no script.

Pictures are JPEG in data addresses, small enough that a page stays under `LARGEST` bytes; names and texts of files are
escaped. A value that cannot show itself so, because its file is gone for instance, shows its text.
"""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from vedit.media.reading.facts import facts_of, span, stream_text
from vedit.media.reading.glance import glance
from vedit.media.reading.read import VideoReader, open_video
from vedit.media.reading.sequence import is_still
from vedit.options.request import NO_RATE, RenderPlan, RenderResult, RestyleOptions
from vedit.thumbnail import thumbnail

if TYPE_CHECKING:
    from vedit.thumbnail import Image
    from vedit.types import IntFrames

LARGEST = 1_000_000
"""Bytes of one value's page: a notebook keeps them all."""
MOST_SHOTS = 24
"""Shots of a plan that are listed one by one."""
SECONDS = 3.0
"""Of wall time for the pictures of a plan; the shots behind have none."""

_SIDE, _SMALL = 480, 200
_PICTURE_BYTES = 300_000
_CARD_BYTES = 30_000
_TEXT = 300
"""Letters of a value in a table."""


def or_text(value: object, show: Callable[[], str]) -> str:
    """The HTML of a value, or its text where that fails: a cell that cannot show a value must not fail for it.

    Args:
        value: whose text it is.
        show: makes the HTML.
    """
    try:
        page = show()
    except Exception:  # whatever it is, the value is still there
        page = ""
    return page if page and len(page) < LARGEST else f"<pre>{html.escape(_text(value))}</pre>"


def video_html(reader: VideoReader) -> str:
    """A frame of the clip beside what its headers say."""
    metadata = reader.metadata
    rows = {name: value for name, value in facts_of(metadata).items() if name not in ("track", "chapters")}
    rows["file"] = metadata.path.name
    sound = [stream_text(stream) for stream in metadata.streams if stream.kind == "audio"]
    others = [stream_text(stream) for stream in metadata.streams if stream.kind != "audio"]
    rows |= {"sound": "; ".join(sound) or "none"} if sound or not is_still(metadata.path) else {}
    rows |= {"other tracks": "; ".join(others)} if others else {}
    frame, _ = glance(reader, (metadata.duration or Fraction(0)) / 4)
    return _beside(_image(frame, metadata.bit_depth, _aspect(reader), _SIDE), table(rows))


def plan_html(plan: RenderPlan) -> str:
    """What a render will do, with a picture of each shot where that takes little time."""
    estimate = "unknown" if plan.seconds is None else f"about {span(plan.seconds)}"
    memory = "" if plan.peak_memory_bytes is None else f", {plan.peak_memory_bytes / 1e9:.1f} GB of memory"
    rows = {
        "source": plan.source,
        "output": plan.output,
        "frames": "one, a still picture"
        if plan.rate == NO_RATE
        else f"{plan.frames} from #{plan.first_frame}, rate {plan.rate}",
        "size": "{}x{}, worked at {}x{}".format(*plan.source_size, *plan.working_size),
        "model": f"{plan.model} on {plan.device}",
        "steps": f"{plan.steps}, {plan.network_evaluations_per_frame} network evaluations per frame",
        "estimate": estimate + memory,
        **_looks(plan.settings),
        **{f"note {number}": note for number, note in enumerate(plan.notes, 1)},
    }
    return table(rows) + _shots(plan)


def result_html(result: RenderResult) -> str:
    """Source and result of one moment, one over the other, and what the render did."""
    rows = {
        "output": result.output,
        "frames": f"{result.frames} in {span(result.seconds)}",
        "timing and sound": "checked, as in the source" if result.contract.get("ok") else "not as in the source",
        **{f"note {number}": note for number, note in enumerate(result.notes, 1)},
    }
    with open_video(Path(result.output)) as made:
        metadata = made.metadata
        after, moment = glance(made, (metadata.duration or Fraction(0)) / 2)
        width, height = _shown_size(after, _aspect(made), _SIDE)
        pictures = [_picture(after, metadata.bit_depth, width, height)]
    before = _source_frame(result, moment)
    if before is None:
        return _img(pictures[0], width) + table(rows)
    return slider(_picture(*before, width, height), pictures[0], width=width, height=height) + table(rows)


def table(rows: Mapping[str, object]) -> str:
    """Names and values as a table, escaped, long values cut."""
    cell = "text-align:left;vertical-align:top;padding:1px 8px"
    lines = [
        f'<tr><th style="{cell}">{_escaped(name)}</th>'
        f'<td style="{cell};overflow-wrap:anywhere">{_escaped(value)}</td></tr>'
        for name, value in rows.items()
    ]
    return f"<table>{''.join(lines)}</table>"


def slider(before: str, after: str, *, width: int, height: int) -> str:
    """Two pictures, one over the other; a corner drags the border between them, by CSS alone.

    Args:
        before: the left one, as the address of a picture.
        after: the right one.
        width: of both, in pixels.
        height: of both.
    """
    size = f"width:{width}px;height:{height}px;max-width:none;margin:0"
    sign = "position:absolute;top:4px;padding:0 4px;background:#0009;color:#fff;font:12px sans-serif"
    return (
        f'<div style="position:relative;width:{width}px;height:{height}px;overflow:hidden;display:inline-block">'
        f'<img alt="result" src="{after}" style="position:absolute;left:0;top:0;{size}">'
        f'<span style="{sign};right:4px">result</span>'
        f'<div title="drag the lower right corner" style="position:absolute;left:0;top:0;width:{width // 2}px;'
        f"height:{height}px;min-width:16px;max-width:{width}px;overflow:hidden;resize:horizontal;"
        f'box-sizing:border-box;border-right:2px solid #fff">'
        f'<img alt="source" src="{before}" style="{size}"><span style="{sign};left:4px">source</span></div></div>'
        '<div style="font-size:smaller">Drag the lower right corner of the source to compare.</div>'
    )


def _source_frame(result: RenderResult, moment: Fraction) -> tuple[IntFrames, int] | None:
    """What the source shows where the result shows a moment; None where it is gone or does not tell."""
    try:
        with open_video(Path(result.source)) as reader:
            rate = reader.metadata.average_rate
            if result.first_frame and rate is None:
                return None
            begin = result.first_frame / rate if rate else Fraction(0)
            return glance(reader, begin + moment)[0], reader.metadata.bit_depth
    except Exception:  # the result is worth a look without it
        return None


def cards(captions: Sequence[str], picture_of: Callable[[int], tuple[IntFrames, int, Fraction]]) -> str:
    """The first shots of many with their pictures, as many as there is time for.

    Args:
        captions: of all shots.
        picture_of: place in `captions` -> a frame (3 or 4, H, W), its depth, and how wide its pixels are.
    """
    until = time.monotonic() + SECONDS
    shown: list[str] = []
    for number, caption in enumerate(captions[:MOST_SHOTS]):
        picture = ""
        if time.monotonic() < until:
            frame, bit_depth, aspect = picture_of(number)
            picture = _img(_picture(frame, bit_depth, *_shown_size(frame, aspect, _SMALL), budget=_CARD_BYTES), None)
        words = f"<figcaption>{_escaped(caption)}</figcaption>"
        shown.append(f'<figure style="display:inline-block;margin:4px">{picture}{words}</figure>')
    more = len(captions) - MOST_SHOTS
    return "".join(shown) + (f"<div>and {more} more shots</div>" if more > 0 else "")


def _shots(plan: RenderPlan) -> str:
    """The shots of a plan; without pictures where its frames cannot be found by their times."""
    still = plan.rate == NO_RATE
    captions = [f"Shot {number}: #{start}..#{stop}" for number, (start, stop) in enumerate(plan.shots, 1)]
    if plan.rate == "variable":
        return "".join(f"<div>{_escaped(caption)}</div>" for caption in captions[:MOST_SHOTS])
    with open_video(Path(plan.source), rate=_sequence_rate(plan)) as reader:

        def picture_of(number: int) -> tuple[IntFrames, int, Fraction]:
            start, stop = plan.shots[number]
            frame, _ = glance(reader, Fraction(0) if still else (start + stop - 1) // 2 / Fraction(plan.rate))
            return frame, reader.metadata.bit_depth, _aspect(reader)

        return cards(captions, picture_of)


def _sequence_rate(plan: RenderPlan) -> Fraction | None:
    """For an image sequence, which says none itself."""
    path = Path(plan.source)
    if plan.rate == NO_RATE:
        return None
    return Fraction(plan.rate) if path.is_dir() or "%" in path.name or "#" in path.name else None


def _looks(settings: Mapping[str, object]) -> dict[str, str]:
    """The settings of each look, as far as they are not the usual ones."""
    looks = cast("list[Mapping[str, object]]", settings["looks"]) if "looks" in settings else [settings]
    usual = {entry.name: getattr(RestyleOptions(), entry.name) for entry in fields(RestyleOptions)}
    rows: dict[str, str] = {}
    for look in looks:
        shots = cast("list[int]", look.get("shots", []))
        name = f"look of shot{'' if len(shots) == 1 else 's'} {', '.join(map(str, shots))}" if shots else "look"
        said = {key: value for key, value in look.items() if key not in ("prompt", "shots") and value not in (None, "")}
        told = [f"{key} {_plain(value)}" for key, value in said.items() if key in usual and _differs(value, usual[key])]
        rows[name] = "; ".join([str(look.get("prompt", "")), *told])
    return rows


def _differs(value: object, usual: object) -> bool:
    """Whether a setting, as JSON has it, is another one than the usual."""
    return bool(value) and not isinstance(value, list) and value != usual


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _beside(picture: str, words: str) -> str:
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">'
        f"<div>{picture}</div><div>{words}</div></div>"
    )


def _aspect(reader: VideoReader) -> Fraction:
    return reader.metadata.sample_aspect_ratio or Fraction(1)


def _shown_size(frame: IntFrames, aspect: Fraction, side: int) -> tuple[int, int]:
    """Width and height in pixels that are square, the longer side at most `side`."""
    height, width = frame.shape[1:]
    across = float(width * aspect)
    scale = min(1.0, side / max(across, height))
    return max(1, round(across * scale)), max(1, round(height * scale))


def _image(frame: IntFrames, bit_depth: int, aspect: Fraction, side: int) -> str:
    width, height = _shown_size(frame, aspect, side)
    return _img(_picture(frame, bit_depth, width, height), width)


def _img(address: str, width: int | None) -> str:
    across = "" if width is None else f' width="{width}"'
    return f'<img alt=""{across} src="{address}" style="max-width:none">'


def _picture(frame: IntFrames, bit_depth: int, width: int, height: int, *, budget: int = _PICTURE_BYTES) -> str:
    """A frame as the address of a JPEG that holds it, of at most `budget` letters."""
    small = thumbnail(frame, bit_depth, side=2 * max(width, height))
    image = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    for quality in (88, 75, 60, 40, 20, 5):
        data = _jpeg(image, quality)
        if len(data) * 4 // 3 < budget:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"  # pyright: ignore[reportPossiblyUnboundVariable]


def _jpeg(image: Image, quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("no JPEG could be made")
    return cast("Any", data).tobytes()


def _escaped(value: object) -> str:
    text = str(value)
    return html.escape(text if len(text) <= _TEXT else f"{text[:_TEXT]} ...")


def _text(value: object) -> str:
    try:
        return repr(value)[:10_000]
    except Exception:
        return f"<{type(value).__name__}>"
