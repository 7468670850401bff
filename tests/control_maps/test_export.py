"""Control maps as files on the source's timing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from tests.support.tiny.depth import save_depth
from vedit.control_maps import export as control_video
from vedit.control_maps import export_data as control_data
from vedit.control_maps.export import write_controls
from vedit.control_maps.export_paths import MapOutput, map_outputs, title_of
from vedit.control_maps.prerendered import open_control
from vedit.errors import InputError, ModelError, VeditError
from vedit.flow.estimate import estimate_flow
from vedit.geometry import fit, working_fit
from vedit.media.contract.verify import verify
from vedit.media.exr import read_exr
from vedit.media.reading.read import open_video
from vedit.preprocessors.softedge import soft_edges
from vedit.types import FrameRange

PAIRS = [n + 1 for n in range(FRAMES - 1) if n != CUT - 1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("source") / "clip.mp4")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def breaches(clip: Path, path: Path, frames: str | None = None) -> set[str]:
    """What of the timing and sound contract does not hold; a map's own colour tags aside."""
    return {check.name for check in verify(clip, path, frames=frames).breaches} - {"colour tags"}


def source_frames(clip: Path) -> torch.Tensor:
    with open_video(clip) as reader:
        read = reader.read(FrameRange(start=0, stop=FRAMES))
    return fit(read, working_fit((HEIGHT, WIDTH), short_side=HEIGHT, multiple_of=1))


def test_a_folder_of_several_kinds(clip: Path, tmp_path: Path) -> None:
    written = write_controls(clip, ["softedge", "canny", "softedge"], f"{tmp_path / 'new' / 'maps'}/")
    folder = tmp_path / "new" / "maps"
    assert names(folder) == ["clip.canny.mp4", "clip.controls.png", "clip.softedge.mp4"]
    assert written.outputs == (folder / "clip.softedge.mp4", folder / "clip.canny.mp4")
    assert written.sheet == folder / "clip.controls.png"
    assert [breaches(clip, path) for path in written.outputs] == [set(), set()]
    with av.open(str(written.outputs[0])) as container:
        context = container.streams.video[0].codec_context
        assert (context.pix_fmt, container.streams.video[0].frames) == ("yuvj444p", FRAMES)
    sheet = cv2.imread(str(written.sheet))
    assert sheet is not None
    assert sheet.shape[1] > 6 * WIDTH
    assert sheet.shape[0] > 3 * HEIGHT


def test_values_survive_the_encoding(clip: Path, tmp_path: Path) -> None:
    (path,) = write_controls(clip, ["softedge"], tmp_path / "map.mp4").outputs
    with open_video(clip) as reader, open_control(path, reader.metadata, reader.index()) as control:
        found = control.read(FrameRange(start=0, stop=FRAMES))
    assert float((found - soft_edges(source_frames(clip))).abs().max()) < 1.6 / 255


def test_a_part_in_a_small_size(clip: Path, tmp_path: Path) -> None:
    (path,) = write_controls(clip, ["canny"], tmp_path / "map.mkv", frames="#4..#8", short_side=72).outputs
    assert breaches(clip, path, "#4..#8") == set()
    with open_video(path) as reader:
        assert (reader.metadata.width, reader.metadata.height, len(reader.index())) == (WIDTH, HEIGHT, 4)


def test_each_shot_is_one_stream(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[list[int]] = []

    def stream(kind: str, chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        lengths.append([])
        for chunk in chunks:
            lengths[-1].append(len(chunk))
            yield torch.full_like(chunk, len(lengths) / 4)

    monkeypatch.setattr(control_video, "control_stream", stream)
    monkeypatch.setattr(control_video, "_CHUNK_FRAMES", 4)
    (path,) = write_controls(clip, ["softedge"], tmp_path / "map.mp4").outputs
    assert lengths == [[4, 2], [4]]
    with open_video(path) as reader:
        levels = reader.read(FrameRange(start=0, stop=FRAMES)).frames.mean((1, 2, 3))
    assert levels == pytest.approx([64] * CUT + [128] * (FRAMES - CUT), abs=1)


def test_numbered_pictures(clip: Path, tmp_path: Path) -> None:
    (pattern,) = write_controls(clip, ["softedge"], tmp_path / "edge_%03d.png").outputs
    assert names(tmp_path) == [f"edge_{n:03d}.png" for n in range(1, FRAMES + 1)], "no sound beside them"
    with pytest.raises(InputError, match=r"edge_001\.png exists"):
        write_controls(clip, ["softedge"], pattern, short_side=64)
    write_controls(clip, ["softedge"], pattern, frames="#0..#3", overwrite=True, sheet=tmp_path / "sheet.png")
    assert names(tmp_path) == [*(f"edge_{n:03d}.png" for n in (1, 2, 3)), "sheet.png"]
    picture = cv2.imread(str(tmp_path / "edge_001.png"))
    assert picture is not None
    expected = soft_edges(source_frames(clip)[:1])[0].permute(1, 2, 0).numpy()
    assert np.abs(picture / 255 - expected).max() < 0.6 / 255


def test_raw_depth_as_exr(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def values(chunks: Iterable[torch.Tensor], *, kind: str) -> Iterator[torch.Tensor]:
        assert kind == "depth"
        for chunk in chunks:
            yield 40 * chunk[:, :1] + 3

    monkeypatch.setattr("vedit.preprocessors.depth.depth_values", values)
    monkeypatch.setattr(control_video, "local", Path)
    written = write_controls(clip, ["depth"], tmp_path, wanted="exr", short_side=HEIGHT)
    assert written.outputs == (tmp_path / "clip.depth" / "clip.depth_%05d.exr",)
    files = [f"clip.depth/clip.depth_{n:05d}.exr" for n in range(1, FRAMES + 1)]
    assert names(tmp_path) == ["clip.controls.png", *files]
    expected = 40 * source_frames(clip)[:, :1] + 3
    for number, file in enumerate(files):
        assert np.array_equal(read_exr(tmp_path / file), expected[number].numpy())
    with open_video(clip) as reader, open_control(written.outputs[0], reader.metadata, reader.index()) as control:
        read = control.read(FrameRange(start=0, stop=FRAMES))
    low, high = float(expected.min()), float(expected.max())
    assert torch.allclose(read, ((expected - low) / (high - low)).expand(-1, 3, -1, -1), atol=1e-6)


def test_depth_with_random_weights(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_depth(tmp_path / "models")
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path / "models"))
    part = f"#{CUT - 2}..#{CUT + 1}"
    (path,) = write_controls(clip, ["depth"], tmp_path / "depth.mp4", short_side=72, frames=part).outputs
    assert breaches(clip, path, part) == set()
    (pattern,) = write_controls(clip, ["depth"], tmp_path / "raw_%02d.exr", short_side=72, frames=part).outputs
    raw = np.stack([read_exr(file) for file in sorted(pattern.parent.glob("raw_*.exr"))])
    assert raw.shape == (3, 1, HEIGHT, WIDTH)
    with open_video(path) as reader:
        seen = reader.read(FrameRange(start=0, stop=3)).frames[:, :1].astype(np.float64)
    for shot in (slice(0, 2), slice(2, 3)):
        inside = (seen[shot] > 9) & (seen[shot] < 246)
        assert np.corrcoef(raw[shot][inside], seen[shot][inside])[0, 1] > 0.95, "one range over each shot"


def test_other_maps_as_exr_keep_their_floats(clip: Path, tmp_path: Path) -> None:
    write_controls(clip, ["softedge"], tmp_path / "e.####.exr")
    assert np.allclose(read_exr(tmp_path / "e.0003.exr"), soft_edges(source_frames(clip)[2:3])[0].numpy(), atol=1e-6)


def read_flo(path: Path) -> np.ndarray:
    """(2, H, W), by the format's description: a tag, two sizes, rows of pairs."""
    data = path.read_bytes()
    assert data[:4] == b"PIEH"
    width, height = np.frombuffer(data, "<i4", 2, 4)
    return np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).transpose(2, 0, 1)


def test_flow_of_pairs_within_shots(clip: Path, tmp_path: Path) -> None:
    (pattern,) = write_controls(clip, ["flow"], tmp_path / "f_%04d.flo").outputs
    assert pattern == tmp_path / "f_%04d.flo"
    assert names(tmp_path) == [f"f_{n:04d}.flo" for n in PAIRS], "none across the cut"
    expected = estimate_flow(source_frames(clip)[CUT : CUT + 2]).forward[0].numpy()
    assert np.array_equal(read_flo(tmp_path / f"f_{CUT + 1:04d}.flo"), expected)
    assert expected[0].mean() == pytest.approx(3, abs=0.5), "the pattern moves to the right"


def test_flow_computed_small_is_in_pixels_of_the_source(clip: Path, tmp_path: Path) -> None:
    write_controls(clip, ["flow"], tmp_path, wanted="flo", short_side=72)
    small = read_flo(tmp_path / "clip.flow" / "clip.flow_00001.flo")
    assert small.shape == (2, HEIGHT, WIDTH)
    assert np.median(small[0]) == pytest.approx(3, abs=0.5)


def test_flow_as_png_and_exr(clip: Path, tmp_path: Path) -> None:
    write_controls(clip, ["flow"], tmp_path / "k_%03d.png", wanted="png16", frames="#0..#2")
    write_controls(clip, ["flow"], tmp_path / "x_%03d.exr", frames="#0..#2")
    assert names(tmp_path) == ["k_001.png", "x_001.exr"]
    kitti = cv2.imread(str(tmp_path / "k_001.png"), cv2.IMREAD_UNCHANGED)
    assert kitti is not None
    assert kitti.dtype == np.uint16
    flow = estimate_flow(source_frames(clip)[:2])
    valid = ~flow.forward_occlusion[0, 0].numpy()
    x = (kitti[..., 2].astype(np.float64) - 2**15) / 64  # OpenCV reads blue first: validity, y, x
    assert np.array_equal(kitti[..., 0] > 0, valid)
    assert np.abs(x - flow.forward[0, 0].numpy())[valid].max() <= 1 / 128 + 1e-6
    planes = read_exr(tmp_path / "x_001.exr")
    assert np.array_equal(planes[:2], flow.forward[0].numpy())
    assert np.array_equal(planes[2] == 1, valid)


def test_one_frame_has_no_flow(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no shot has two frames"):
        write_controls(clip, ["flow"], tmp_path, wanted="flo", frames="#0..#1")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("kinds", "output", "wanted", "message"),
    [
        (["cany"], "maps/", None, "did you mean 'canny'"),
        (["canny"], "x.txt", None, "not a container"),
        (["canny"], "one.png", None, r"names one file.*one_%04d\.png"),
        (["canny"], "c_%04d.flo", None, "flo holds optical flow, not canny"),
        (["canny"], "c.mp4", "png", r"no name for --format png.*c_%04d\.png"),
        (["canny"], "c_%d.png", "video", r"no name for --format video.*\.mp4"),
        (["canny"], "absent/x.mp4", None, "does not exist"),
    ],
)
def test_errors_leave_nothing(
    clip: Path, tmp_path: Path, kinds: list[str], output: str, wanted: control_video.Format | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_controls(clip, kinds, f"{tmp_path}/{output}", wanted=wanted)
    assert list(tmp_path.iterdir()) == []


def test_absent_weights_end_before_anything_is_written(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path / "none"))
    monkeypatch.setattr("vedit.weights.store.find", dict[str, Path]().get)
    with pytest.raises(ModelError, match="run: vedit models pull depth-anything-v2-small") as caught:
        write_controls(clip, ["canny", "depth"], f"{tmp_path}/maps/")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [VeditError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("wanted", [None, "png", "exr"])
def test_a_stop_on_the_way_leaves_nothing(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    wanted: control_video.Format | None,
) -> None:
    def stream(kind: str, chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        for number, chunk in enumerate(chunks):
            if kind == "tile" and number:
                raise error
            yield chunk

    monkeypatch.setattr(control_video, "control_stream", stream)
    monkeypatch.setattr(control_data, "control_stream", stream)
    monkeypatch.setattr(control_video, "_CHUNK_FRAMES", 2)
    with pytest.raises(type(error)):
        write_controls(clip, ["softedge", "tile"], f"{tmp_path}/a/maps/", wanted=wanted)
    assert list(tmp_path.iterdir()) == []


def test_maps_of_an_odd_deep_source(tmp_path: Path) -> None:
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 35, 27, "gbrp10le"
        for n in range(3):
            grey = np.full((27, 35, 3), 60 * n, np.uint8)
            grey[5:12, 5 + n : 20 + n] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    (out,) = write_controls(path, ["tile"], tmp_path / "maps.mp4").outputs
    with open_video(out) as reader:
        assert (reader.metadata.width, reader.metadata.height, reader.metadata.bit_depth) == (35, 27, 8)
        assert len(reader.index()) == 3


@pytest.mark.parametrize(
    ("kinds", "output", "wanted", "expected"),
    [
        (["canny"], "maps/x.mp4", None, ["maps/x.mp4"]),
        (["canny", "tile"], "maps/x.mp4", None, ["maps/x.canny.mp4", "maps/x.tile.mp4"]),
        (["canny"], "maps/{kind}.mov", None, ["maps/canny.mov"]),
        (["canny", "tile"], "x_%04d.png", None, ["x.canny_%04d.png", "x.tile_%04d.png"]),
        (["canny", "tile"], "{kind}.####.exr", None, ["canny.####.exr", "tile.####.exr"]),
        (["canny"], "maps/", None, ["maps/in.canny.mp4"]),
        (["canny"], "maps", "png", ["maps/in.canny/in.canny_%05d.png"]),
        (["flow"], "maps/", "png16", ["maps/in.flow/in.flow_%05d.png"]),
    ],
)
def test_names(kinds: list[str], output: str, wanted: control_video.Format | None, expected: list[str]) -> None:
    found = map_outputs(Path("/clips/in.mp4"), kinds, output, wanted=wanted)
    assert [str(out.path) for out in found] == expected
    assert [out.kind for out in found] == kinds


def test_a_sequence_as_source_is_called_by_its_prefix(tmp_path: Path) -> None:
    for number in (7, 8):
        cv2.imwrite(str(tmp_path / f"shot_{number:03d}.png"), np.full((16, 16, 3), 90, np.uint8))
    assert title_of(tmp_path / "shot_%03d.png") == "shot"
    (out,) = map_outputs(tmp_path / "shot_%03d.png", ["canny"], tmp_path)
    assert out == MapOutput(kind="canny", format="video", path=tmp_path / "shot.canny.mp4")
    (pattern,) = write_controls(tmp_path / "shot_%03d.png", ["canny"], tmp_path / "edge_%03d.png").outputs
    assert pattern.name == "edge_%03d.png"
    assert names(tmp_path)[:2] == ["edge_007.png", "edge_008.png"], "numbered as the source is"
