"""The folder of training photographs: its manifest, and the pack that workers read without decoding JPEGs again."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3), RGB, 0..255

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One photograph.

    Attributes:
        path: the file.
        tag: as the manifest states it, "" where there is none.
        licence: as the manifest states it, "" where there is none.
        source: where it comes from, for the credits.
    """

    path: Path
    tag: str = ""
    licence: str = ""
    source: str = ""

    @property
    def weight(self) -> float:
        """How often it is drawn, relative to the others."""
        # Views cut from 1k panoramas are soft: they teach the autoencoder to blur.
        return 0.3 if self.tag == "pano" else 1.0


def find_photos(folder: Path, *, split: str = "train") -> tuple[Photo, ...]:
    """List the photographs of `folder` in a fixed order.

    Reads `manifest.json` where there is one (files with another `split` are left out); without a manifest every
    picture of the folder belongs to "train".

    Raises:
        FileNotFoundError: no picture of that split is there.
    """
    manifest = folder / "manifest.json"
    if manifest.is_file():
        entries = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        photos = [
            Photo(
                path=folder / entry["file"],
                tag=entry.get("tag", ""),
                licence=entry.get("licence", ""),
                source=entry.get("source_repo", ""),
            )
            for entry in entries
            if entry.get("split", "train") == split
        ]
    else:
        photos = [Photo(path=p) for p in folder.iterdir() if p.suffix.lower() in SUFFIXES] if split == "train" else []
    if not photos:
        raise FileNotFoundError(f"no pictures of split {split!r} in {folder}; give a folder of photographs to --photos")
    return tuple(sorted(photos, key=lambda photo: photo.path.name))


def read_photo(path: Path, *, short_side: int = 288) -> Image:
    """Decode to RGB; sides are cut to multiples of 8 (the latent cell) and the short side is at most `short_side`."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"not a picture that OpenCV can read: {path}")
    scale = short_side / min(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = (side - side % 8 for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width, ::-1], dtype=np.uint8)
