"""Flow files: what is written comes back, as other programs wrote it, and what is broken is told in one line."""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vedit.errors import InputError, VeditError
from vedit.flow.files import read_flo, read_flow_exr, read_kitti, write_flo, write_flow_exr, write_kitti

Read = Callable[[Path], tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture
def flow() -> torch.Tensor:
    return torch.randn(2, 13, 21, generator=torch.Generator().manual_seed(0)) * 40


@pytest.fixture
def valid() -> torch.Tensor:
    return torch.rand(1, 13, 21, generator=torch.Generator().manual_seed(1)) > 0.3


@pytest.mark.parametrize(
    ("write", "read", "step"),
    [(write_flo, read_flo, 0.0), (write_kitti, read_kitti, 1 / 64), (write_flow_exr, read_flow_exr, 0.0)],
)
def test_what_is_written_comes_back(
    tmp_path: Path,
    flow: torch.Tensor,
    valid: torch.Tensor,
    write: Callable[..., None],
    read: Read,
    step: float,
) -> None:
    write(tmp_path / "a", flow, valid)
    vectors, match = read(tmp_path / "a")
    assert vectors.dtype == torch.float32 and match.dtype == torch.bool
    assert torch.equal(match, valid)
    assert float((vectors - flow).abs()[valid.expand_as(flow)].max()) <= step / 2
    assert (vectors[~valid.expand_as(flow)] == 0).all()
    write(tmp_path / "b", flow)
    assert read(tmp_path / "b")[1].all()
    broken = flow.clone()
    broken[0, 2, 3] = float("nan")
    write(tmp_path / "c", broken)
    assert (~read(tmp_path / "c")[1]).nonzero().tolist() == [[0, 2, 3]]


def test_half_floats(tmp_path: Path, flow: torch.Tensor) -> None:
    write_flow_exr(tmp_path / "a.exr", flow, half=True)
    assert torch.equal(read_flow_exr(tmp_path / "a.exr")[0], flow.half().float())


def test_flo_as_the_specification_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.flo"
    path.write_bytes(b"PIEH" + struct.pack("<2i", 2, 1) + struct.pack("<4f", 1.5, -2, 1e10, 1e10))
    vectors, match = read_flo(path)
    assert vectors.tolist() == [[[1.5, 0]], [[-2, 0]]] and match.tolist() == [[[True, False]]]
    write_flo(tmp_path / "b.flo", vectors, match)
    assert (tmp_path / "b.flo").read_bytes() == path.read_bytes()


def test_kitti_as_the_development_kit_has_it(tmp_path: Path) -> None:
    path = str(tmp_path / "a.png")
    write_kitti(Path(path), torch.tensor([1.5, -2.0]).view(2, 1, 1))
    blue, green, red = np.asarray(cv2.imread(path, cv2.IMREAD_UNCHANGED))[0, 0]
    assert (red, green, blue) == (32768 + 96, 32768 - 128, 1)


def test_kitti_refuses_motion_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"up to 600 pixels.*512"):
        write_kitti(tmp_path / "a.png", torch.full((2, 4, 4), 600.0))
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("read", [read_flo, read_kitti, read_flow_exr])
@pytest.mark.parametrize("content", [b"", b"PIEH", b"PIEH" + struct.pack("<2i", -1, 5), b"no picture at all"])
def test_a_broken_file_is_told_in_one_line(tmp_path: Path, read: Read, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(VeditError) as told:
        read(tmp_path / "a")
    assert "\n" not in str(told.value) and str(tmp_path / "a") in str(told.value)
    with pytest.raises(VeditError, match="missing"):
        read(tmp_path / "missing")


def test_files_cut_short_or_of_another_kind(tmp_path: Path, flow: torch.Tensor) -> None:
    write_flo(tmp_path / "a.flo", flow)
    whole = (tmp_path / "a.flo").read_bytes()
    (tmp_path / "a.flo").write_bytes(whole[:-4])
    with pytest.raises(VeditError, match="21x13 pixels take"):
        read_flo(tmp_path / "a.flo")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(VeditError, match="16 bits"):
        read_kitti(tmp_path / "a.png")
    write_flow_exr(tmp_path / "a.exr", flow)
    (tmp_path / "a.exr").write_bytes((tmp_path / "a.exr").read_bytes()[:200])
    with pytest.raises(VeditError, match=r"a\.exr"):
        read_flow_exr(tmp_path / "a.exr")


@pytest.mark.parametrize("write", [write_flo, write_kitti, write_flow_exr])
def test_other_shapes_and_places_are_refused(tmp_path: Path, flow: torch.Tensor, write: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match=r"\(2, H, W\)"):
        write(tmp_path / "a", flow[None])
    with pytest.raises(ValueError, match="validity"):
        write(tmp_path / "a", flow, torch.ones(1, 3, 3, dtype=torch.bool))
    with pytest.raises(VeditError, match="cannot be written"):
        write(tmp_path / "no" / "a", flow)
