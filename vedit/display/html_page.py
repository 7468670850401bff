"""What pages share that need no other file and no network: words as HTML, filled templates, pictures as addresses."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.geometry import resize

if TYPE_CHECKING:
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]

LEVELS = ((640, 85), (640, 75), (640, 60), (560, 55), (480, 50), (400, 45), (320, 40), (240, 35), (160, 30))
"""Pixels of the longer side, and WebP's quality: the first that is small enough is taken."""


def as_text(words: str) -> str:
    """Words as HTML shows them and takes them for nothing else, in attributes too."""
    # A name of a file need not be Unicode, a page must be.
    return html.escape(words.encode("utf-8", "replace").decode())


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its marks, {{NAME}}, replaced all at once: what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: values[mark[1]], template)


def script_hash(script: str) -> str:
    """What a content security policy calls the script that may run (W3C, "Content Security Policy Level 3")."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def as_data(value: object) -> str:
    """JSON for a script element that is no script: nothing in it can end the element or begin a comment."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")


def image_address(data: bytes) -> str:
    """A WebP as the address of an image."""
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def address_bytes(data: bytes) -> int:
    """Characters that `image_address` makes of it, but for the few in front."""
    return 4 * -(-len(data) // 3)


def webps(pictures: Sequence[Image], most: int, levels: Sequence[tuple[int, int]] = LEVELS) -> list[bytes]:
    """Pictures as WebP, at the first size and quality at which they are small enough together.

    Args:
        pictures: (h, w, 3) RGB each.
        most: bytes of all of them; the last level is taken where none is small enough.
        levels: pixels of the longer side, and quality.
    """
    found: list[bytes] = []
    for side, quality in levels:
        found, held = [], 0
        for picture in pictures:
            found.append(webp(picture, side, quality))
            held += len(found[-1])
            if held > most:
                break
        if held <= most:
            break
    return [*found, *(webp(picture, *levels[-1]) for picture in pictures[len(found) :])]


def webp(picture: Image, side: int, quality: int) -> bytes:
    """A picture (h, w, 3) RGB, its longer side at most `side`, as WebP of a quality from 0 to 100."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    small = resize(picture.astype(np.float32), (max(1, round(height * scale)), max(1, round(width * scale))))
    _, data = cv2.imencode(
        ".webp", small[..., ::-1].round().clip(0, 255).astype(np.uint8), [cv2.IMWRITE_WEBP_QUALITY, quality]
    )
    return data.tobytes()
