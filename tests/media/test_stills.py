"""Still pictures in and out: every kind, exact pixels, turned upright, and what they say beside their pixels."""

from __future__ import annotations

import io
import re
import struct
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from vedit.cli import main
from vedit.errors import InputError, MediaError
from vedit.media.contract.identity import identity
from vedit.media.contract.verify import verify
from vedit.media.exif import orientation_of, upright
from vedit.media.exr import encode_exr, read_exr
from vedit.media.output import OutputOptions
from vedit.media.reading.picture_data import picture_data
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing.label import SOURCE_TYPE
from vedit.types import FrameRange

SIZE = (45, 31)
"""(width, height), odd on purpose."""


def noise(channels: int, dtype: type[np.unsignedinteger[Any]] = np.uint8) -> npt.NDArray[Any]:
    return np.random.default_rng(4).integers(0, np.iinfo(dtype).max, (SIZE[1], SIZE[0], channels), dtype, endpoint=True)


def smooth() -> Image.Image:
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return Image.fromarray(np.stack([x * 5, y * 8, 255 - x * 2 - y * 3], -1).astype(np.uint8))


@cache
def profile(name: str = "sRGB") -> bytes:
    made: Any = ImageCms.createProfile("sRGB" if name == "sRGB" else "XYZ")
    data = bytearray(ImageCms.ImageCmsProfile(made).tobytes())
    data[16:20] = {"sRGB": b"RGB ", "wide": b"RGB ", "grey": b"GRAY"}[name]
    return bytes(data)


def exif(orientation: int = 6, size: tuple[int, int] = SIZE) -> Image.Exif:
    block = Image.Exif()
    block[0x0112], block[0x010F], block[0x013B] = orientation, "Camera", "A. Photographer"
    block[0x8769] = {0x9003: "2024:02:03 04:05:06", 0xA002: size[0], 0xA003: size[1]}
    return block


def sampling(image: Image.Image) -> tuple[int, int]:
    """Chroma samples of a JPEG, across and down: one for that many pixels."""
    layers: Any = vars(image)["layer"]
    return layers[0][1], layers[0][2]


def frame_of(path: Path) -> npt.NDArray[Any]:
    """(H, W, 3 or 4) as it is read, in display orientation."""
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=1)).frames[0].transpose(1, 2, 0)


def written(path: Path) -> npt.NDArray[Any]:
    """What other programs read: Pillow has no 16 bits of colour, and OpenCV multiplies TIFFs by their transparency."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    if found.dtype == np.uint8:
        with Image.open(path) as image:
            return np.asarray(image)
    return found[..., [2, 1, 0, 3][: found.shape[2]]]


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("to", ["png", "tif", "tiff"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_pixel_changes_on_the_way(
    tmp_path: Path, kind: str, to: str, channels: int, dtype: type[np.unsignedinteger[Any]]
) -> None:
    drawn = noise(channels, dtype)
    source, result = tmp_path / f"in.{kind}", tmp_path / f"out.{to}"
    cv2.imwrite(str(source), drawn[..., [2, 1, 0, 3][:channels]])
    assert np.array_equal(frame_of(source), drawn)
    report = identity(source, result).report
    assert report.ok and [check.name for check in report.checks].count("frame rate") == 0
    assert np.array_equal(written(result), drawn) and written(result).dtype == dtype
    assert verify(source, result).ok


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16"])
def test_greys_and_palettes(tmp_path: Path, mode: str) -> None:
    source = tmp_path / "in.png"
    image = Image.fromarray(noise(1, np.uint16)[..., 0]) if mode == "I;16" else smooth().convert(mode)
    image.save(source)
    result = tmp_path / "out.png"
    identity(source, result)
    expected = np.asarray(image) if mode == "I;16" else np.asarray(image.convert("RGBA" if mode == "LA" else "RGB"))
    assert np.array_equal(written(result), np.stack([expected] * 3, -1) if mode == "I;16" else expected)


def test_a_palette_that_is_seen_through(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    smooth().convert("P").save(source, transparency=0)
    assert probe(source).has_alpha and frame_of(source).shape[2] == 4


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    source = tmp_path / f"in.{kind}"
    block = exif(orientation)
    if kind == "tif":
        block = Image.Exif()
        block[0x0112] = orientation
    # Pillow passes over what a format has no use for.
    smooth().save(source, exif=block, quality=100, subsampling=0)
    with Image.open(source) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    for path in (source, identity(source, tmp_path / f"out.{kind}").output):
        found = frame_of(path).astype(int)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= (0 if kind != "jpg" else 6)
    result = tmp_path / f"out.{kind}"
    assert picture_data(result).orientation == 1 and probe(result).rotation == 0
    if kind != "tif":
        with Image.open(result) as image:
            told: Any = image.getexif()
        assert told[0x010F] == "Camera" and told.get_ifd(0x8769)[0x9003].startswith("2024:02:03")
        assert (told.get_ifd(0x8769)[0xA002], told.get_ifd(0x8769)[0xA003]) == expected.shape[1::-1]


def test_mirrored_pictures_of_a_sequence(tmp_path: Path) -> None:
    for number in (1, 2):
        smooth().save(tmp_path / f"a_{number}.png", exif=exif(2))
    expected = np.asarray(ImageOps.mirror(smooth()))
    assert np.array_equal(frame_of(tmp_path / "a_%d.png"), expected)


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("to", ["jpg", "png", "tif"])
def test_what_a_photograph_says_is_kept(tmp_path: Path, kind: str, to: str) -> None:
    source, result = tmp_path / f"in.{kind}", tmp_path / f"out.{to}"
    xmp = (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    told: dict[str, Any] = {"icc_profile": profile(), "dpi": (300, 300)}
    if kind != "tif":
        told["exif"] = exif(1)
    if kind == "jpg":
        told["xmp"] = xmp
    smooth().save(source, **told)
    made = identity(source, result)
    assert not any("not kept" in note for note in made.notes)
    assert verify(source, result).ok
    found = picture_data(result)
    assert found.icc == profile()
    assert found.density is not None and round(found.density[0]) == round(found.density[1]) == 300
    with Image.open(result) as image:
        again: Any = image.getexif()
        if kind != "tif":
            assert (again[0x010F], again[0x013B]) == ("Camera", "A. Photographer")
            assert again.get_ifd(0x8769)[0x9003].startswith("2024:02:03")
    if kind == "jpg":
        assert b'xmp:Rating="4"' in (found.xmp or b"")


def test_another_profile_is_a_breach(tmp_path: Path) -> None:
    source, result = tmp_path / "in.png", tmp_path / "out.png"
    smooth().save(source, icc_profile=profile())
    identity(source, result, options=OutputOptions(sidecar=False))
    with Image.open(result) as image:
        Image.fromarray(np.asarray(image)).save(result)
    assert [check.name for check in verify(source, result).breaches] == ["colour profile"]


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "a picture")
    smooth().save(source, icc_profile=profile("wide"), exif=exif(1), pnginfo=texts)
    notes = " ".join(identity(source, tmp_path / "out.exr").notes)
    for what in ("the colour profile (", "Exif data", "the text Title"):
        assert what in notes
    assert "the model takes them for sRGB" in notes
    with pytest.raises(MediaError, match=r"--strict: not kept: .*profile"):
        identity(source, tmp_path / "strict.exr", options=OutputOptions(strict=True))
    with Image.open(identity(source, tmp_path / "out.png").output) as image:
        assert Image.Image.getexif(image)[0x010F] == "Camera"
        assert image.info["Title"] == "a picture"
    grey = tmp_path / "grey.png"
    smooth().convert("L").save(grey, icc_profile=profile("grey"))
    result = tmp_path / "grey.out.png"
    assert any("for GRAY colours" in note for note in identity(grey, result).notes)
    assert picture_data(result).icc is None


def test_further_pages_are_told(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    smooth().save(source, save_all=True, append_images=[smooth(), smooth()])
    assert any("2 further pages" in note for note in identity(source, tmp_path / "out.tif").notes)


def test_transparency_is_kept_or_refused(tmp_path: Path) -> None:
    source, result = tmp_path / "in.png", tmp_path / "out.jpg"
    Image.fromarray(noise(4)).save(source)
    with pytest.raises(InputError, match=r"jpeg in \.jpg cannot keep.*"):
        identity(source, result)
    assert not result.exists()
    assert any(
        "transparency" in note for note in identity(source, result, options=OutputOptions(drop_alpha=True)).notes
    )


def test_colours_multiplied_by_transparency_stay_so(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    Image.fromarray(noise(4)).save(source)
    data = bytearray(source.read_bytes())
    place = data.index(struct.pack("<HHIH", 338, 3, 1, 2))  # ExtraSamples: straight
    data[place + 8] = 1
    source.write_bytes(data)
    assert picture_data(source).associated
    assert picture_data(identity(source, tmp_path / "out.tif").output).associated
    assert any("multiplied" in note for note in identity(source, tmp_path / "out.png").notes)


@pytest.mark.parametrize(("subsampling", "told"), [("4:2:0", (2, 2)), ("4:2:2", (2, 1)), ("4:4:4", (1, 1))])
def test_jpeg_keeps_its_chroma_and_looks_the_same(tmp_path: Path, subsampling: str, told: tuple[int, int]) -> None:
    source, result = tmp_path / "in.jpg", tmp_path / "out.jpg"
    smooth().resize((180, 124), Image.Resampling.BICUBIC).save(source, quality=95, subsampling=subsampling)
    identity(source, result)
    with Image.open(source) as before, Image.open(result) as after:
        assert sampling(after) == told
        difference = np.asarray(before).astype(float) - np.asarray(after)
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 40


def test_linear_light(tmp_path: Path) -> None:
    light = np.linspace(0, 2, SIZE[0] * SIZE[1], dtype=np.float32).reshape(1, SIZE[1], SIZE[0]).repeat(3, 0)
    source, result = tmp_path / "in.exr", tmp_path / "out.exr"
    source.write_bytes(encode_exr(light))
    notes = identity(source, result).notes
    assert any("its brightest sample, 2, is clipped" in note for note in notes)
    assert np.abs(read_exr(result) - light.clip(0, 1)).max() < 4e-5
    codes = frame_of(source)
    assert codes.dtype == np.uint16 and abs(int(codes[0, 0, 0])) == 0 and codes[-1, -1, 0] == 65535


def test_a_name_is_taken_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "IMG#7 50%.png"
    smooth().save(source)
    done = CliRunner().invoke(main, ["identity", str(source), "-o", str(tmp_path / "out#1.png")])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "IMG#7 50%.png",
        "out#1.png",
        "out#1.png.vedit.json",
    ]
    again = CliRunner().invoke(main, ["identity", str(source), "-o", str(tmp_path / "out#1.png")])
    assert again.exit_code == 2 and "exists" in again.output


def test_a_film_of_one_frame(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    smooth().save(source)
    notes = identity(source, tmp_path / "out.mkv", options=OutputOptions(codec="ffv1")).notes
    assert any("film of one frame" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "mode", "options", "told"),
    [
        ("cmyk.jpg", "CMYK", {}, "is in CMYK; convert it to RGB"),
        ("cmyk.tif", "CMYK", {}, "is in CMYK; convert it to RGB"),
        ("lab.tif", "LAB", {}, "is in CIE Lab"),
        ("jpeg.tif", "RGB", {"compression": "jpeg"}, "a TIFF compressed as JPEG"),
        ("float.tif", "F", {}, "is of single floats"),
        ("photo.jpg", "RGB", {"format": "PNG"}, "PNG picture by its content.*to photo.png"),
        ("photo.png", "RGB", {"format": "JPEG"}, "JPEG picture by its content.*to photo.jpg"),
        ("photo.bmp", "RGB", {}, "still image of a kind that is not read; convert it to .png"),
    ],
)
def test_pictures_that_would_come_out_wrong_are_refused(
    tmp_path: Path, name: str, mode: str, options: dict[str, Any], told: str
) -> None:
    path = tmp_path / name
    smooth().convert(mode).save(path, **options)
    with pytest.raises(MediaError) as error:
        probe(path)
    assert re.search(told, f"{error.value.message}; {error.value.remedy}")


def test_a_still_has_no_rate(tmp_path: Path) -> None:
    smooth().save(tmp_path / "in.png")
    with pytest.raises(MediaError, match="is a still picture"):
        probe(tmp_path / "in.png", rate=Fraction(24))
    done = CliRunner().invoke(main, ["probe", str(tmp_path / "in.png")])
    assert "still picture" in done.output and "frames/s" not in done.output


def test_exif_is_changed_in_place() -> None:
    for order in (b"II*\0", b"MM\0*"):
        block = exif(8)
        block.endian = "<" if order == b"II*\0" else ">"
        data = block.tobytes().removeprefix(b"Exif\0\0")
        assert data[:4] == order and orientation_of(data) == 8
        again = upright(data, (7, 9))
        assert len(again) == len(data) and orientation_of(again) == 1
        found = Image.Exif()
        found.load(b"Exif\0\0" + again)
        assert (found.get_ifd(0x8769)[0xA002], found.get_ifd(0x8769)[0xA003]) == (7, 9)
    for damaged in (b"", b"II*\0", b"II*\0\xff\xff\xff\x7f", data[:30]):
        assert orientation_of(damaged[:20]) == 1
        with pytest.raises(ValueError):
            upright(damaged, (1, 1))


def test_the_label_takes_the_place_of_the_sources(tmp_path: Path) -> None:
    from vedit.media.writing.picture_parts import parts_of

    source = tmp_path / "in.jpg"
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    smooth().save(source, xmp=packet)
    parts = parts_of(picture_data(source), "jpeg", size=SIZE, aspect=Fraction(1), label=True, tags={})
    assert parts.xmp is not None
    assert b"digitalCapture" not in parts.xmp and parts.xmp.count(SOURCE_TYPE.encode()) == 1
    told = ElementTree.fromstring(parts.xmp)
    assert len(told.findall(".//{*}Description")) == 2


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_shape_of_pixels_is_kept(tmp_path: Path, suffix: str) -> None:
    source, result = tmp_path / "in.png", tmp_path / f"out{suffix}"
    smooth().save(source, dpi=(300, 150))
    aspect = probe(source).sample_aspect_ratio
    assert aspect != 1
    identity(source, result)
    assert probe(result).sample_aspect_ratio == aspect


def test_damaged_pictures_end_in_one_line(tmp_path: Path) -> None:
    file = io.BytesIO()
    smooth().save(file, "JPEG", exif=exif(6), icc_profile=profile())
    rng = np.random.default_rng(1)
    for number in range(24):
        data = bytearray(file.getvalue())
        for place in rng.integers(2, len(data), 6):
            data[place] = rng.integers(256)
        path = tmp_path / f"d{number}.jpg"
        path.write_bytes(bytes(data[: rng.integers(40, len(data))] if number % 2 else data))
        try:
            probe(path)
        except MediaError:
            continue
        picture_data(path)
