"""A gallery as one HTML page that needs no other file and no network: a slider and a command for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.display.html_page import as_text, filled, image_address, script_hash, webps
from vedit.models.looks import TITLES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]

PICTURE_BYTES = 54_000
"""Of a picture, in the mean: 60 of them and the page around them are below 5 MB, told as base64."""
FEW_BYTES = 1_000_000
"""Of all pictures, which is never too much."""
_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One picture of a page."""

    name: str
    kind: str
    """Pictures of a kind stand together."""
    prompt: str
    command: str
    """A line to paste into a shell."""
    quality: str
    """The part of the command, at its end, that says at what quality the picture was made; empty where it does not."""
    picture: Image
    """(h, w, 3)."""
    remark: str = ""
    """What is weak about it; empty where nothing is."""


def gallery_page(name: str, what: str, source: Image, pictures: Sequence[Shown]) -> bytes:
    """The page, in UTF-8.

    Args:
        name: of the clip.
        what: a sentence on what is shown.
        source: the frame as it is, (h, w, 3).
        pictures: the same frame under looks, of the same size; at least one.
    """
    images = [source, *(shown.picture for shown in pictures)]
    told, *others = webps(images, max(FEW_BYTES, PICTURE_BYTES * len(images)))
    grouped: dict[str, list[str]] = {kind: [] for kind in TITLES}
    for shown, data in zip(pictures, others, strict=True):
        grouped.setdefault(shown.kind, []).append(_figure(shown, data, source.shape[:2]))
    script = (_HERE / "gallery.js").read_text("utf-8")
    values = {
        "SCRIPT_HASH": script_hash(script),
        "NAME": as_text(name),
        "WHAT": as_text(what),
        "CARD": "330" if source.shape[1] > source.shape[0] else "260",
        "WIDTH": str(source.shape[1]),
        "HEIGHT": str(source.shape[0]),
        "SOURCE": image_address(told),
        "QUALITY": _switch(pictures),
        "COUNT": f"{len(pictures)} look{'' if len(pictures) == 1 else 's'}",
        "GROUPS": "\n".join(_group(kind, figures) for kind, figures in grouped.items() if figures),
        "SCRIPT": script,
    }
    return filled((_HERE / "gallery.html").read_text("utf-8"), values).encode()


def _group(kind: str, figures: Sequence[str]) -> str:
    title = as_text(TITLES.get(kind, kind.capitalize() or "Looks"))
    return f'<section>\n<h2>{title}</h2>\n<div class="grid">\n' + "\n".join(figures) + "\n</div>\n</section>"


def _figure(shown: Shown, data: bytes, size: tuple[int, ...]) -> str:
    name, words = (
        as_text(shown.name),
        as_text(f"{shown.name} {shown.prompt} {TITLES.get(shown.kind, shown.kind)}".lower()),
    )
    quality = f'<span class="quality">{_words(shown.quality)}</span>' if shown.quality else ""
    remark = f"\n<p>Weak: {as_text(shown.remark)}.</p>" if shown.remark else ""
    return (
        f'<figure class="look" data-words="{words}">\n'
        f'<div class="pair"><img src="{image_address(data)}" alt="{name}" width="{size[1]}" height="{size[0]}">'
        f'<div class="before"></div>'
        f'<input type="range" min="0" max="100" value="30" aria-label="{name}: how much of the source is shown">'
        "</div>\n"
        f'<figcaption><div class="named"><h3>{name}</h3>'
        f'<button type="button" aria-label="Copy the command for {name}">Copy</button></div>{remark}\n'
        f"<code>{_words(shown.command.removesuffix(shown.quality))}{quality}</code></figcaption>\n"
        "</figure>"
    )


def _words(line: str) -> str:
    """A line whose words are broken only where one is longer than the line."""
    return " ".join(f"<b>{as_text(word)}</b>" if word else "" for word in line.split(" "))


def _switch(pictures: Sequence[Shown]) -> str:
    """What leaves the quality of the pictures out of the commands; nothing where they do not say it."""
    said = next((shown.quality.strip() for shown in pictures if shown.quality), None)
    if said is None:
        return ""
    return f'<label><input type="checkbox" id="as-shown" checked> Commands with <code>{as_text(said)}</code></label>'
