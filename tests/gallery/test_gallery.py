"""`vedit looks`: the render's own pictures, made together; a page and a sheet that appear whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch

import vedit
from tests.support.clips import FRAMES, HEIGHT, WIDTH, picture, two_shots
from tests.support.other_pipeline import STILLS, TARGET, TARGET_BUILT_UPON
from tests.support.page import Page
from tests.support.plugged import plugged_in
from tests.support.resolved import made_job
from vedit.display.contact_sheet import is_sheet
from vedit.errors import InputError, OutOfRangeError
from vedit.gallery.files import GalleryFiles, eight_bits, gallery_files, shown_pictures, write_gallery
from vedit.gallery.page import PICTURE_BYTES, Shown, gallery_page
from vedit.gallery.pictures import Gallery, GalleryPlan, make_gallery
from vedit.models.families.sd_denoiser import SDDenoiser
from vedit.models.looks import Chosen
from vedit.models.resolve import model_of, resolve
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.progress.callbacks import Progress
from vedit.registry.pipelines import pipelines
from vedit.render.preview import stills_of
from vedit.thumbnail import png

CHROMIUM = os.environ.get("VEDIT_CHROMIUM") or shutil.which("chromium")
DRAFT = RestyleOptions(quality="draft")
LOOKS = ("woodcut", "night", "an oil painting")
NAME = 'it\'s <b>"a" & b {{NAME}}.mp4'
"""A clip that is called like this."""


@pytest.fixture(scope="module")
def barred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures between black bars."""
    folder = tmp_path_factory.mktemp("barred")
    for t in range(3):
        frame = picture(t)
        frame[:24] = frame[-16:] = 0
        (folder / f"shot_{t}.png").write_bytes(png(frame))
    return folder / "shot_%d.png"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def request_of(source: Path, tmp_path: Path, **more: Any) -> RenderRequest:
    # In float32, in which another batch rounds by less than a level.
    return RenderRequest(source=source, options=DRAFT, output=tmp_path / "out.mov", precision="float32", **more)


# The pictures.


@pytest.mark.parametrize("draws", [{}, {"variation": 0.6, "seed": 2}], ids=["plain", "variation"])
def test_pictures_are_those_of_a_render_of_the_frame(clip: Path, tmp_path: Path, draws: dict[str, Any]) -> None:
    looks = [replace(DRAFT, prompt=prompt, **draws) for prompt in LOOKS]
    gallery = make_gallery(request_of(clip, tmp_path), looks, "#7")
    assert (gallery.plan.frame, gallery.source.shape) == (7, (HEIGHT, WIDTH, 3))
    for options, shown in zip(looks, gallery.pictures, strict=True):
        job = made_job(replace(request_of(clip, tmp_path, frames="#7..#8"), options=options))
        (made,) = stills_of(job, numbers_of=lambda _: (7,))
        ((source, still),) = made.pairs
        assert np.array_equal(gallery.source, source.transpose(1, 2, 0))
        far = np.abs(still.transpose(1, 2, 0).astype(int) - shown.astype(int))
        assert far.max() <= 1, "no more than another batch rounds"
        assert np.abs(shown.astype(int) - gallery.source.astype(int)).mean() > 3, "and it is a look"


@pytest.mark.parametrize("target", [TARGET, TARGET_BUILT_UPON])
def test_pictures_of_a_plug_ins_pipeline_are_made_one_by_one(clip: Path, tmp_path: Path, target: str) -> None:
    looks = [replace(DRAFT, prompt=prompt) for prompt in LOOKS[:2]]
    own = make_gallery(request_of(clip, tmp_path), looks, "#7")
    STILLS.clear()
    with plugged_in(pipelines, "vedit.pipelines", {"other": target}):
        other = make_gallery(request_of(clip, tmp_path), [replace(look, pipeline="other") for look in looks], "#7")
    assert STILLS == [(7,), (7,)]
    for one, shown in zip(own.pictures, other.pictures, strict=True):
        assert np.abs(one.astype(int) - shown.astype(int)).max() <= 1, "no more than another batch rounds"


def test_bars_stay_as_they_are(barred: Path, tmp_path: Path) -> None:
    options = replace(DRAFT, prompt="night")
    gallery = make_gallery(request_of(barred, tmp_path), [options], "#1", side=160)
    (shown,) = gallery.pictures
    assert not shown[:20].any() and not shown[-13:].any() and shown[30:120].any()
    job = made_job(replace(request_of(barred, tmp_path, frames="#1..#2"), options=options))
    (made,) = stills_of(job, numbers_of=lambda _: (1,))
    reduced = cv2.resize(
        made.pairs[0][1].transpose(1, 2, 0).astype(np.float32), (160, 131), interpolation=cv2.INTER_AREA
    )
    assert np.abs(reduced - shown).max() <= 1.5


def test_the_work_is_shared(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = SDDenoiser.__call__

    def counted(self: SDDenoiser, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        calls.append(len(x))
        return real(self, x, *rest)

    monkeypatch.setattr(SDDenoiser, "__call__", counted)
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    told: list[Progress] = []
    looks = [replace(DRAFT, prompt=prompt, batch=2) for prompt in LOOKS]
    make_gallery(request_of(clip, tmp_path), looks, on_progress=told.append)
    assert calls == [1, *[2, 1] * 4], "the frame is inverted once, then sampled under all in batches"
    done = [step for step in told if step.stage == "preview"]
    assert [step.done for step in done][-4:] == [3, 4, 5, 6] and {step.total for step in done} == {6}
    shares = [step.share or 0.0 for step in told]
    assert shares == sorted(shares) and shares[-1] == 1


def test_small_pictures_are_the_large_ones_made_smaller(clip: Path, tmp_path: Path) -> None:
    looks = [replace(DRAFT, prompt="night")]
    large, small = (make_gallery(request_of(clip, tmp_path), looks, side=side) for side in (None, 88))
    assert small.source.shape == small.pictures[0].shape == (72, 88, 3)
    reduced = cv2.resize(large.pictures[0].astype(np.float32), (88, 72), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced - small.pictures[0]).max() <= 0.5 + 1e-3


def test_from_python(clip: Path) -> None:
    with vedit.open_video(clip) as video:
        pictures = video.looks(["night", "bronze"], at=-1, side=64)
        assert list(pictures) == ["night", "bronze"]
        assert all(one.dtype == np.uint8 and one.shape == (52, 64, 3) for one in pictures.values())
        assert cast("Any", pictures)._repr_html_().count("<figure") == 2
        with pytest.raises(OutOfRangeError, match="there is no frame 10"):
            video.looks(["night"], at=FRAMES)
        with pytest.raises(InputError, match="did you mean 'night'"):
            video.looks("nigth")


# The page.


def a_gallery(count: int = 3, *, height: int = 36, width: int = 64, name: str = NAME) -> Gallery:
    """A gallery of noise, which no model made."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count + 1)]
    plan = GalleryPlan(
        source=Path(name),
        frame=12,
        seconds=Fraction(1, 2),
        source_size=(width, height),
        working_size=(64, 64),
        model="embedded",
        device="cpu",
        quality="draft",
    )
    return Gallery(plan=plan, source=pictures[0], pictures=tuple(pictures[1:]), bit_depth=8)


def the_looks(prompts: Sequence[str] = LOOKS, **more: Any) -> list[tuple[str, Chosen, RestyleOptions]]:
    kinds = ("medium", "light", "prompts")
    return [
        (prompt, Chosen(name=prompt, kind=kinds[n % 3], prompt=prompt), replace(DRAFT, prompt=prompt, **more))
        for n, prompt in enumerate(prompts)
    ]


def written(folder: Path, prompts: Sequence[str] = LOOKS, **more: Any) -> tuple[GalleryFiles, bytes]:
    gallery, request = a_gallery(len(prompts)), RenderRequest(source=Path(NAME), options=DRAFT, **more)
    files = GalleryFiles(sheet=folder / "a.looks.png", page=folder / "a.looks.html")
    write_gallery(
        gallery, shown_pictures(gallery, request, model_of(request), the_looks(prompts)), files, overwrite=False
    )
    return files, files.page.read_bytes()


def test_the_page_holds_everything_itself(tmp_path: Path) -> None:
    files, data = written(tmp_path / "new folder")
    page = Page(data)
    assert is_sheet(files.sheet)
    assert sorted(path.name for path in files.sheet.parent.iterdir()) == ["a.looks.html", "a.looks.png"]
    assert len(page.all("figure")) == len(page.all("img")) == 3
    assert all(img["src"].startswith("data:image/webp;base64,") for img in page.all("img"))
    elsewhere = [
        name for tag, found in page.tags for name in found if name in ("src", "href", "srcset") and tag != "img"
    ]
    without = re.sub(rb"base64,[\w+/=]+", b"", data)
    assert not elsewhere and not re.search(rb"(https?:)?//\w|@import|url\((?!data:)", without)
    (script,), (policy,) = page.texts["script"], page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        policy["content"].startswith("default-src 'none'; img-src data:;") and f"'sha256-{digest}'" in policy["content"]
    )


def test_names_are_told_as_they_are_and_as_nothing_else(tmp_path: Path) -> None:
    nasty = ['<script>alert(1)</script>"', "</style><img src=x onerror=y>", "in {{SOURCE}} & 'quotes'"]
    _, data = written(tmp_path, nasty)
    page = Page(data)
    assert page.texts["h1"] == [NAME] and page.texts["title"] == [f"{NAME}: looks"]
    assert page.texts["h2"] == ["Media", "Light, season and weather", "Prompts"]
    assert page.texts["h3"] == nasty and len(page.texts["script"]) == 1
    assert [img["alt"] for img in page.all("img")] == nasty
    assert not [found for _, found in page.tags if any(name.startswith("on") for name in found)]
    commands = [text for text in page.texts["code"] if text.startswith("vedit")]
    for command, prompt in zip(commands, nasty, strict=True):
        told = subprocess.run(["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, check=True, text=True)
        assert told.stdout.splitlines() == ["vedit", "restyle", NAME, "--prompt", prompt, "--quality", "draft"]


def test_every_slider_and_button_has_a_name(tmp_path: Path) -> None:
    page = Page(written(tmp_path)[1])
    sliders = [found for found in page.all("input", type="range") if found.get("id") != "all"]
    assert [found["aria-label"].split(":")[0] for found in sliders] == list(LOOKS)
    assert [found["aria-label"] for found in page.all("button")] == [f"Copy the command for {name}" for name in LOOKS]
    assert len(page.all("label")) == 3, "the filter, the slider of all, and the quality"


def test_the_command_says_what_was_said(tmp_path: Path) -> None:
    request = RenderRequest(
        source=Path("-odd.mkv"),
        options=DRAFT,
        model="sd15",
        controlnets=(("depth", "a/b"),),
        rate=Fraction(24000, 1001),
        track=2,
        allow_huge=True,
    )
    gallery, looks = a_gallery(1), the_looks(["night"], variation=0.6, seed=3, controls=())
    (shown,) = shown_pictures(gallery, request, resolve("sd15"), looks)
    assert shown.command == (
        "vedit restyle ./-odd.mkv --prompt night --variation 0.6 --seed 3 --control none --model sd15 "
        "--controlnet depth=a/b --rate 24000/1001 --track 2 --allow-huge --quality draft"
    )
    (shown,) = shown_pictures(
        gallery, request, resolve("sd15"), [(name, look, replace(o, quality="standard")) for name, look, o in looks]
    )
    assert shown.quality == "" and "--quality" not in shown.command
    loaded = replace(request, precision="bfloat16", quantize="nf4", offload="group", attention_backend="math")
    (shown,) = shown_pictures(gallery, loaded, resolve("sd15"), looks)
    assert " --precision bfloat16 --quantize nf4 --offload group --attention-backend math " in shown.command


def test_pages_are_small_whatever_the_pictures() -> None:
    gallery = a_gallery(20, height=360, width=640)
    pictures = [
        Shown(name="a", kind="tone", prompt="a", command="vedit", quality="", picture=eight_bits(one, 8))
        for one in gallery.pictures
    ]
    data = gallery_page("clip.mp4", "", eight_bits(gallery.source, 8), pictures)
    assert 60 * len(data) / 20 < 5_000_000 and PICTURE_BYTES * 61 * 4 / 3 < 5_000_000
    assert len(Page(data).all("img")) == 20


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; VEDIT_CHROMIUM names one")
def test_a_browser_runs_the_page(tmp_path: Path) -> None:
    files, _ = written(tmp_path)
    words = [cast("str", CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [*words, profile, "--dump-dom", files.page.as_uri()], capture_output=True, check=True, text=True, timeout=300
    )
    assert done.stdout.count('style="--x: 30%;"') == 3 and ">3 looks</output>" in done.stdout


# The files.


def test_a_gallery_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in ("put_in_place", "check_free"):
        with monkeypatch.context() as patch:
            patch.setattr(f"vedit.gallery.files.{name}", stopped)
            with pytest.raises(KeyboardInterrupt):
                written(tmp_path / "new")
            with pytest.raises(KeyboardInterrupt):
                written(tmp_path)
        assert not list(tmp_path.iterdir())


def test_where_it_goes(tmp_path: Path) -> None:
    source = tmp_path / "my clip.mp4"
    assert gallery_files(source).all == (tmp_path / "my clip.looks.png", tmp_path / "my clip.looks.html")
    assert gallery_files(source, "looks").page == Path("looks/my clip.looks.html")
    (tmp_path / "shot_0001.png").write_bytes(png(np.zeros((2, 2, 3), np.uint8)))
    assert gallery_files(tmp_path / "shot_%04d.png", tmp_path).sheet == tmp_path / "shot.looks.png"
    with pytest.raises(InputError, match="is the name of a file"):
        gallery_files(source, "looks.html")


# The command.
