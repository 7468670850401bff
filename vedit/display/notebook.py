"""What a notebook shows of a clip, a plan and a result: HTML that needs no other file, no network and no script.

Pictures are JPEG in data addresses, small enough that a page stays under `LARGEST` bytes; names and texts of files are
escaped. A value that cannot show itself so, because its file is gone for instance, shows its text.
"""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from vedit.media.reading.facts import facts_of, stream_text
from vedit.media.reading.glance import glance
from vedit.media.reading.reader import VideoReader
from vedit.media.reading.sequence import is_still
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

SIDE, _SMALL = 480, 200
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
    return _beside(_shown_image(frame, metadata.bit_depth, aspect_of(reader), SIDE), table(rows))


def table(rows: Mapping[str, object]) -> str:
    """Names and values as a table, escaped, long values cut."""
    cell = "text-align:left;vertical-align:top;padding:1px 8px"
    lines = [
        f'<tr><th style="{cell}">{escaped(name)}</th>'
        f'<td style="{cell};overflow-wrap:anywhere">{escaped(value)}</td></tr>'
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
            picture = image(
                picture_address(frame, bit_depth, *shown_size(frame, aspect, _SMALL), budget=_CARD_BYTES), None
            )
        words = f"<figcaption>{escaped(caption)}</figcaption>"
        shown.append(f'<figure style="display:inline-block;margin:4px">{picture}{words}</figure>')
    more = len(captions) - MOST_SHOTS
    return "".join(shown) + (f"<div>and {more} more shots</div>" if more > 0 else "")


def _beside(picture: str, words: str) -> str:
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">'
        f"<div>{picture}</div><div>{words}</div></div>"
    )


def aspect_of(reader: VideoReader) -> Fraction:
    return reader.metadata.sample_aspect_ratio or Fraction(1)


def shown_size(frame: IntFrames, aspect: Fraction, side: int) -> tuple[int, int]:
    """Width and height in pixels that are square, the longer side at most `side`."""
    height, width = frame.shape[1:]
    across = float(width * aspect)
    scale = min(1.0, side / max(across, height))
    return max(1, round(across * scale)), max(1, round(height * scale))


def _shown_image(frame: IntFrames, bit_depth: int, aspect: Fraction, side: int) -> str:
    width, height = shown_size(frame, aspect, side)
    return image(picture_address(frame, bit_depth, width, height), width)


def image(address: str, width: int | None) -> str:
    across = "" if width is None else f' width="{width}"'
    return f'<img alt=""{across} src="{address}" style="max-width:none">'


def picture_address(frame: IntFrames, bit_depth: int, width: int, height: int, *, budget: int = _PICTURE_BYTES) -> str:
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


def escaped(value: object) -> str:
    text = str(value)
    return html.escape(text if len(text) <= _TEXT else f"{text[:_TEXT]} ...")


def _text(value: object) -> str:
    try:
        return repr(value)[:10_000]
    except Exception:
        return f"<{type(value).__name__}>"
