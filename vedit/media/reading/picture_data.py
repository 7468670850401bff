"""What a picture file says beside its pixels: orientation, colour profile, Exif and XMP data, resolution, texts."""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from PIL import Image, ImageCms

from vedit.errors import MediaError
from vedit.media.exif import TURNS, orientation_of
from vedit.media.writing.label import LABEL_KEY, RECIPE_KEY
from vedit.types import Rotation

_KINDS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"\x76\x2f\x31\x01": "exr",
    b"SDPX": "dpx",
    b"XPDS": "dpx",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"RIFF": "webp",
    b"\0\0\0\x0cJXL ": "jxl",
}
"""Kinds of pictures by how their files begin."""
_NAMES = {".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff"}
_ENDINGS = {"jpeg": ".jpg", "tiff": ".tif"}

_ABOUT = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
"""Tags of a TIFF that tell of the picture: description, make, model, software, date, artist, copyright."""
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
_ICC_TAG, _XMP_TAG, _IPTC_TAG, _EXTRA_SAMPLES, _ORIENTATION = 34675, 700, 33723, 338, 274
_X_RESOLUTION, _LAYERS_TAG = 282, 37724
_OTHER_MODES = {"CMYK": "in CMYK", "LAB": "in CIE Lab", "F": "of single floats"}
_COMPRESSION, _PHOTOMETRIC = 259, 262
_READ_PHOTOMETRIC = (0, 1, 2, 3)
"""Greys, RGB and palettes (TIFF 6.0, section 3 to 6): FFmpeg takes the others for RGB, without a word."""
_JPEG_INSIDE = (6, 7)


@dataclass(frozen=True, kw_only=True)
class PictureData:
    """What one picture file says of itself."""

    icc: bytes | None = None
    """Its colour profile."""
    exif: bytes | None = None
    """A TIFF structure, see `vedit.media.exif`."""
    xmp: bytes | None = None
    density: tuple[float, float] | None = None
    """Pixels an inch, across and down as coded."""
    orientation: int = 1
    """As Exif counts it, 1 to 8."""
    transparent: bool = False
    """A palette's entries may be seen through."""
    associated: bool = False
    """Its colours are multiplied by its transparency."""
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    further: tuple[str, ...] = ()
    """What else is in the file, in words; no written file has it."""

    @property
    def turns(self) -> tuple[Rotation, bool]:
        """Quarter turns clockwise, then a left-right flip, that bring it upright."""
        return TURNS[self.orientation]

    @property
    def profile(self) -> str | None:
        """The name of the colour profile; None where there is none."""
        if self.icc is None:
            return None
        try:
            told = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(self.icc)))
        except (ImageCms.PyCMSError, OSError, ValueError, ImportError):
            told = ""
        return " ".join(told.split()) or "without a name"

    @property
    def profile_space(self) -> str:
        """The colours that the profile is for: RGB, GRAY, CMYK ... (ICC.1, section 7.2.8)."""
        return self.icc[16:20].decode("ascii", "replace").strip() if self.icc is not None else ""


def kind_of(path: Path) -> str | None:
    """The kind of a picture by its first bytes; None where they are of none that is known."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return None
    if head[4:8] == b"ftyp":
        return {b"avif": "avif", b"heic": "heic", b"heix": "heic", b"mif1": "heic"}.get(head[8:12])
    return next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), None)


def check_picture(path: Path) -> None:
    """Raises MediaError where a picture is of another kind than its name says, or in colours that are not read."""
    kind, suffix = kind_of(path), path.suffix.lower()
    if kind is not None and kind != _NAMES.get(suffix, suffix[1:]):
        ending = _ENDINGS.get(kind, f".{kind}")
        raise MediaError(
            f"{path} is a {kind.upper()} picture by its content, and {suffix} by its name",
            remedy=f"rename it to {path.stem}{ending}, or convert it",
        )
    with _opened(path) as image:
        mode = "" if image is None else str(image.mode)
        tags = cast("Mapping[int, Any]", getattr(image, "tag_v2", {}))
        compression, photometric = tags.get(_COMPRESSION), tags.get(_PHOTOMETRIC, 2)
    if mode in _OTHER_MODES:
        raise MediaError(f"{path} is {_OTHER_MODES[mode]}", remedy="convert it to RGB of 8 or 16 bits first")
    if compression in _JPEG_INSIDE:
        raise MediaError(
            f"{path} is a TIFF compressed as JPEG", remedy="save it as .jpg, or with LZW or ZIP compression"
        )
    if photometric not in _READ_PHOTOMETRIC:
        raise MediaError(f"{path} is not in RGB (photometric {photometric})", remedy="convert it to RGB first")


def picture_data(path: Path) -> PictureData:
    """What a picture says beside its pixels; of a kind or a file that cannot be asked, nothing."""
    try:
        status = path.stat()
    except OSError:
        return PictureData()
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, _size: int) -> PictureData:
    with _opened(path) as image:
        return PictureData() if image is None else _told(image)


@contextmanager
def _opened(path: Path) -> Generator[Image.Image | None]:
    """The header of a PNG, JPEG or TIFF; None of another file, or where Pillow does not open it."""
    image = None
    if kind_of(path) in ("png", "jpeg", "tiff"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a large picture: `vedit.media.reading.limits` has looked at it
            try:
                image = Image.open(path, formats=["PNG", "JPEG", "TIFF"])
            except Exception:
                image = None
    try:
        yield image
    finally:
        if image is not None:
            image.close()


def _told(image: Image.Image) -> PictureData:
    info = cast("dict[str, Any]", image.info)
    tags = cast("Mapping[int, Any]", getattr(image, "tag_v2", {}))
    exif = _exif_of_tiff(image) if tags else _bare(info.get("exif"))
    orientation = int(tags.get(_ORIENTATION, 1)) if tags else orientation_of(exif or b"")
    dpi = info.get("dpi") if not tags or _X_RESOLUTION in tags else None
    known = isinstance(dpi, tuple) and all(float(value) > 0 for value in cast("tuple[Any, ...]", dpi))
    return PictureData(
        icc=_bytes(info.get("icc_profile")) or _bytes(tags.get(_ICC_TAG)),
        exif=exif,
        xmp=_bytes(info.get("xmp")) or _bytes(info.get("XML:com.adobe.xmp")) or _bytes(tags.get(_XMP_TAG)),
        density=(float(dpi[0]), float(dpi[1])) if known and dpi is not None else None,
        orientation=orientation if orientation in TURNS else 1,
        transparent="transparency" in info,
        associated=tuple(tags.get(_EXTRA_SAMPLES, ()))[:1] == (1,),
        texts=_texts(image),
        further=tuple(_further(image, info, tags)),
    )


def _texts(image: Image.Image) -> dict[str, str]:
    """The texts of a PNG, what other programs hide in them left out."""
    try:
        told = cast("Mapping[str, str]", getattr(image, "text", {}))
        own = (LABEL_KEY, RECIPE_KEY)
        return {k: str(text) for k, text in told.items() if k not in own and not k.startswith(("XML:", "Raw profile"))}
    except Exception:
        return {}


def _further(image: Image.Image, info: Mapping[str, Any], tags: Mapping[int, Any]) -> Iterator[str]:
    try:
        pages = int(getattr(image, "n_frames", 1)) - 1
    except Exception:
        pages = 0
    if pages > 0:
        what = "picture" if image.format in ("MPO", "PNG") else "page"
        yield f"{pages} further {what}{'' if pages == 1 else 's'} of the file"
    photoshop = info.get("photoshop")
    if (isinstance(photoshop, dict) and 0x0404 in photoshop) or _IPTC_TAG in tags:
        yield "IPTC data"
    if _LAYERS_TAG in tags:
        yield "Photoshop's layers"


def _exif_of_tiff(image: Image.Image) -> bytes | None:
    """What a TIFF's own tags tell, as other pictures have it."""
    try:
        own = image.getexif()
        block = Image.Exif()
        for tag in _ABOUT:
            if tag in own:
                block[tag] = own[tag]
        for ifd in (EXIF_IFD, GPS_IFD):
            inner = dict(own.get_ifd(ifd))
            if inner:
                block[ifd] = inner
        return _bare(block.tobytes()) if len(block) else None
    except Exception:
        return None


def _bare(block: object) -> bytes | None:
    data = _bytes(block)
    return data.removeprefix(b"Exif\0\0") if data else None


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode() or None
    if isinstance(value, tuple):
        parts = cast("tuple[object, ...]", value)
        return _bytes(parts[0]) if len(parts) == 1 else None
    return value if isinstance(value, bytes) and value else None
