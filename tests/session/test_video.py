"""The Python API for edits shot by shot: numbers from 1, pictures in notebooks, previews and renders."""

from __future__ import annotations

import base64
import inspect
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_type_hints

import av
import cv2
import numpy as np
import pytest

import vedit
from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from vedit.checks.setting import settings_of
from vedit.edits.edit import Edit, plain_options
from vedit.errors import ArgumentError, InputError, Interrupted, OutOfRangeError, SettingError
from vedit.options.masks import KeyedFile, MaskSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.progress.callbacks import Progress
from vedit.session.model_settings import ModelSettings
from vedit.session.shots import Preview
from vedit.session.video import Video
from vedit.types import ControlSpec, FrameRange, Shot

WATER = Edit("watercolor painting", quality="draft", steps=2, window=4, overlap=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture
def video(clip: Path) -> Video:
    return vedit.open_video(clip)


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cast("np.ndarray[Any, Any]", picture)[..., ::-1]


def test_shots_are_numbered_from_one(video: Video) -> None:
    assert [shot.number for shot in video.shots] == [1, 2]
    assert video.shots[2].frames == FrameRange(start=CUT, stop=FRAMES)
    assert video.shots[-1] is video.shots[2]
    assert len(video.shots[1]) == CUT
    assert video.shots[2].seconds == (video.index().seconds(CUT), FRAMES / cast("Any", video.index().rate))
    for number in (0, 3, -3):
        with pytest.raises(IndexError, match="numbered from 1 to 2"):
            _ = video.shots[number]
    assert repr(video.shots[1]) == "<Shot 1: #0..#6, 0.000..0.250 s>"


def test_it_reads_exact_frames_as_before(clip: Path) -> None:
    with vedit.open_video(clip) as video:
        assert len(video.index()) == FRAMES
        assert video.metadata.width == WIDTH
        whole = video.read(FrameRange(start=0, stop=FRAMES))
        parts = [part.frames for part in video.chunks(FrameRange(start=0, stop=FRAMES), 3)]
        assert np.array_equal(np.concatenate(parts), whole.frames)
        assert video.warnings == ()


def test_edits_are_written_as_on_the_command_line() -> None:
    edit = Edit("night", controls=["tile", "softedge:0.5@0-0.6"], strength=0.5, seed=3)
    assert plain_options(edit) == RestyleOptions(
        prompt="night",
        controls=(ControlSpec(kind="tile"), ControlSpec(kind="softedge", scale=0.5, end=0.6)),
        strength=0.5,
        seed=3,
    )
    assert plain_options(Edit("night")) == RestyleOptions(prompt="night")
    assert replace(edit, seed=4).seed == 4
    assert isinstance(replace(edit, seed=4), Edit)
    assert repr(Edit("night", seed=2)) == "Edit(prompt='night', seed=2)"
    with pytest.raises(InputError, match=r"strength is 1\.5; give a number from 0 to 1"):
        Edit("night", strength=1.5)
    with pytest.raises(InputError, match="edges"):
        Edit("night", controls=["edges"])


def test_a_mask_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.touch()
    assert Edit("night", mask=path).mask == MaskSpec(files=(KeyedFile(path=path),))


def test_values_show_themselves_as_pictures(video: Video) -> None:
    strip = decoded(video.shots[1]._repr_png_())  # pyright: ignore[reportPrivateUsage]
    assert strip.shape == (HEIGHT, 3 * WIDTH + 8, 3)
    first = video.read(FrameRange(start=0, stop=1))
    assert np.array_equal(strip[:, :WIDTH], first.frames[0].transpose(1, 2, 0))
    assert decoded(first._repr_png_()).shape == (HEIGHT, WIDTH, 3)  # pyright: ignore[reportPrivateUsage]
    page = video.shots._repr_html_()  # pyright: ignore[reportPrivateUsage]
    pictures = [base64.b64decode(data) for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)]
    assert [decoded(data).shape for data in pictures] == [(HEIGHT, WIDTH, 3)] * 2
    assert "Shot 2: #6..#10" in page


def test_deep_and_large_frames_become_small_pictures() -> None:
    from vedit.thumbnail import png, thumbnail

    deep = np.full((4, 30, 900), 4095, np.uint16)
    deep[1] = 2048
    small = thumbnail(deep, 12, side=100)
    assert small.shape == (3, 100, 3)
    assert np.array_equal(decoded(png(small))[0, 0], [255, 128, 255])


@pytest.mark.usefixtures("small")
def test_a_preview_is_asked_for_as_its_render(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would show another picture than the render makes."""
    of_models = {one.name for one in settings_of(RenderRequest) if one.about.stage == "model"}
    assert of_models == get_type_hints(ModelSettings).keys() <= inspect.signature(Video.render).parameters.keys()
    with pytest.raises(ArgumentError, match=r"VideoShot.preview has no argument 'modle'.*model"):
        vedit.open_video(clip).shots[1].preview(WATER, modle="own")  # pyright: ignore[reportCallIssue]
    with pytest.raises(SettingError, match="controlnets is 'tile'"):
        vedit.open_video(clip).shots[1].preview(WATER, controlnets="tile")  # pyright: ignore[reportArgumentType]
    asked: list[RenderRequest] = []

    def settled(request: RenderRequest, *_: object, **__: object) -> None:
        asked.append(request)
        raise InputError("it is enough to know what is asked for")

    monkeypatch.setattr("vedit.render.settle.make_job", settled)
    monkeypatch.setattr("vedit.models.resolve.model_of", lambda request: request)  # pyright: ignore[reportUnknownLambdaType]
    beside: dict[str, Any] = {
        "ip_adapter": "reader",
        "image_encoder": "eye",
        "motion_adapter": "modules",
        "unet": "u.gguf",
    }
    with pytest.raises(InputError, match="it is enough"):
        vedit.open_video(clip).shots[1].preview(
            WATER,
            frames=[2],
            model="own",
            controlnets={"tile": "branch"},
            precision="bfloat16",
            quantize="int8",
            offload="group",
            attention_backend="math",
            **beside,
        )
    (request,) = asked
    assert (request.model, request.controlnets, request.precision) == ("own", (("tile", "branch"),), "bfloat16")
    assert (request.quantize, request.offload, request.attention_backend) == ("int8", "group", "math")
    assert {name: getattr(request, name) for name in beside} == beside


def test_a_preview_is_a_few_frames_before_and_after(video: Video, clip: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    before = sorted(clip.parent.iterdir())
    preview = video.shots[2].preview(WATER, on_progress=told.append)
    assert isinstance(preview, Preview)
    assert preview.numbers == (CUT, 7, FRAMES - 1)
    source = video.read(FrameRange(start=7, stop=8)).frames[0]
    assert np.array_equal(preview.pairs[1][0], source)
    assert np.abs(preview.pairs[1][1].astype(int) - source).mean() > 2
    assert decoded(preview._repr_png_()).shape[0] == 2 * HEIGHT + 4  # pyright: ignore[reportPrivateUsage]
    assert preview.save(tmp_path / "look.png").stat().st_size > 1000
    assert (told[-1].stage, told[-1].done) == ("preview", 1)
    assert sorted(clip.parent.iterdir()) == before, "nothing is written beside the clip"
    with pytest.raises(InputError, match="shot 2 has no such frames"):
        video.shots[2].preview(WATER, frames=[2])


@pytest.mark.usefixtures("small")
def test_a_render_changes_the_shots_that_are_named(video: Video, tmp_path: Path) -> None:
    told: list[str] = []
    output = tmp_path / "out.mkv"
    assert video.plan({2: WATER}, output).shots == ((0, CUT), (CUT, FRAMES))
    result = video.render(output, {2: WATER}, on_progress=lambda progress: told.append(progress.stage))
    assert result.contract["ok"] is True
    assert told[-1] == "verify"
    with vedit.open_video(output) as written:
        frames = written.read(FrameRange(start=0, stop=FRAMES)).frames.astype(int)
    change = np.abs(frames - video.read(FrameRange(start=0, stop=FRAMES)).frames).mean(axis=(1, 2, 3))
    assert change[:CUT].max() < 1.5 < change[CUT:].min()
    assert decoded(result._repr_png_()).shape == (HEIGHT, 5 * WIDTH + 16, 3)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(InputError, match="exists"):
        video.render(output, {2: WATER})
    with pytest.raises(InputError, match="there is no shot 3"):
        video.render(tmp_path / "other.mkv", {3: WATER})
    with pytest.raises(Interrupted):
        video.render(output, {1: WATER}, overwrite=True, stop=lambda: True)


def test_shots_may_be_given(clip: Path) -> None:
    shots = [Shot(number=1, frames=FrameRange(start=0, stop=4)), Shot(number=2, frames=FrameRange(start=4, stop=10))]
    video = vedit.open_video(clip, shots=shots)
    assert video.shots.plain == tuple(shots)
    assert video.plan({1: WATER}, clip.with_name("out.mov")).shots == ((0, 4), (4, 10))


def test_importing_stays_cheap() -> None:
    program = "import sys, vedit; vedit.Edit('night'); assert not {'torch', 'cv2', 'av'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_frames_are_arrays_by_number_and_slice(video: Video) -> None:
    whole = video.read(FrameRange(start=0, stop=FRAMES)).frames.transpose(0, 2, 3, 1)
    assert len(video) == FRAMES
    assert video[0].shape == (HEIGHT, WIDTH, 3)
    assert video[0].dtype == np.uint8
    for number in (7, 0, 3, -1, -FRAMES, np.int64(4)):
        assert np.array_equal(video[cast("int", number)], whole[number])
    for part in (slice(2, 5), slice(None, None, -3), slice(-4, None), slice(1, 99, 2), slice(None)):
        assert np.array_equal(video[part].array(), whole[part])
        assert [len(frame) for frame in video[part]] == [HEIGHT] * len(whole[part])
    assert np.array_equal(video[2:8][::2][-1], whole[2:8][::2][-1])
    assert video[2:8].numbers == range(2, 8)
    assert sum(1 for _ in video) == FRAMES
    assert repr(video[2:8:2]) == "<Frames range(2, 8, 2) of two shots.mov>"
    video[1][:] = 0  # the caller's own
    assert np.array_equal(video[1], whole[1])


def test_frames_that_are_not_there_are_named(video: Video) -> None:
    for number in (FRAMES, -FRAMES - 1, 1000):
        with pytest.raises(IndexError, match=f"no frame {number}; they are numbered from 0 to {FRAMES - 1}") as caught:
            _ = video[number]
        assert isinstance(caught.value, OutOfRangeError)
    with pytest.raises(OutOfRangeError, match="from 0 to 2"):
        _ = video[2:5][3]
    assert len(video[20:30]) == 0
    with pytest.raises(OutOfRangeError, match=f"the slice holds no frames; the clip has {FRAMES}"):
        video[20:30].array()
    with pytest.raises(OutOfRangeError):
        _ = video.shots[0]
    for wrong in ("3", 1.0, None, slice("a", None), slice(None, None, 0)):
        with pytest.raises(SettingError):
            _ = video[cast("int", wrong)]
    assert bool(video)


def test_deep_frames_with_transparency_keep_both(tmp_path: Path) -> None:
    path = tmp_path / "clear.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("prores_ks", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva444p10le"
        shape = (48, 64, 4)
        pictures = [np.full(shape, (t + 1) * 9000, np.uint16) for t in range(2)]
        for t, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba64le").reformat(format="yuva444p10le")
            frame.pts = t
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with vedit.open_video(path) as clear:
        assert clear[1].shape == shape
        assert clear[1].dtype == np.uint16
        assert np.array_equal(clear[1], clear.read(FrameRange(start=1, stop=2)).frames[0].transpose(1, 2, 0))
