"""Shrink a folder of photographs to what training looks at, so that it can be carried to another machine.

$ python -m trainer.pack --photos DIR --out packed
1862 pictures, 23.1 MB: packed
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2

from trainer.photos import find_photos, read_photo

SPLITS = ("train", "eval")


def pack(photos: Path, out: Path, *, short_side: int, quality: int, splits: tuple[str, ...] = SPLITS) -> Iterator[int]:
    """Write every photograph as WebP with a manifest that `find_photos` reads; yields each file's size in bytes.

    Args:
        photos: folder of photographs, with or without a manifest.
        out: a folder that is not there yet, or is empty.
        short_side: pixels; smaller pictures stay as they are.
        quality: of WebP, 1 to 100.
        splits: the manifest's splits to take; one that has no picture is passed over.

    Raises:
        FileExistsError: `out` holds files already.
        FileNotFoundError: no picture of any of the splits.
    """
    if out.is_dir() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty")
    entries: list[dict[str, str]] = []
    for split in splits:
        try:
            found = find_photos(photos, split=split)
        except FileNotFoundError:
            continue
        for photo in found:
            picture = read_photo(photo.path, short_side=short_side)
            written, data = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
            if not written:
                raise ValueError(f"OpenCV could not write {photo.path.name} as WebP")
            out.mkdir(parents=True, exist_ok=True)
            # The whole name: two files may differ by their suffix alone.
            file = out / f"{photo.path.name}.webp"
            file.write_bytes(data.tobytes())
            entry = {"file": file.name, "split": split, "licence": photo.licence, "source_repo": photo.source}
            entries.append(entry | ({"tag": photo.tag} if photo.tag else {}))
            yield len(data)
    if not entries:
        raise FileNotFoundError(f"no pictures of {' or '.join(splits)} in {photos}")
    # Last: a folder with a manifest is whole.
    (out / "manifest.json").write_text(json.dumps({"files": entries}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--short-side", type=int, default=256, help="pixels; at least 192, the largest crop's")
    parser.add_argument("--quality", type=int, default=85, help="of WebP, 1 to 100")
    parser.add_argument("--split", action="append", choices=SPLITS, help="repeatable; both where it is not given")
    args = parser.parse_args()
    try:
        sizes = list(
            pack(
                args.photos,
                args.out,
                short_side=args.short_side,
                quality=args.quality,
                splits=tuple(args.split or SPLITS),
            )
        )
    except (FileExistsError, FileNotFoundError) as error:
        parser.error(str(error))
    print(f"{len(sizes)} pictures, {sum(sizes) / 1e6:.1f} MB: {args.out}")


if __name__ == "__main__":
    main()
