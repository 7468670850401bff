"""What a second look at one shot costs: ten shots rendered from a plan, then one of them changed, in one run."""

from __future__ import annotations

import time
from pathlib import Path

import av
import click
import numpy as np
import pytest

from vedit.cli import main
from vedit.testing.fakes import moving_frames

SHOTS, LENGTH, HEIGHT, WIDTH = 10, 6, 192, 256
MOST = 0.15


@pytest.mark.slow
@pytest.mark.parametrize("quality", ["draft", "standard"])
def test_changing_one_shot_of_ten_costs_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quality: str
) -> None:
    clip, plan = tmp_path / "in.mp4", tmp_path / "plan.toml"
    frames = [moving_frames(LENGTH, HEIGHT, WIDTH, seed=seed) // (1 + seed % 2) for seed in range(SHOTS)]
    with av.open(str(clip), "w") as container:
        video = container.add_stream("libx264", rate=24, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in np.concatenate(frames).transpose(0, 2, 3, 1):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    cuts = [word for number in range(1, SHOTS) for word in ("--add-cut", f"#{number * LENGTH}")]
    prompt = "watercolor painting"
    assert main(["plan", str(clip), "-o", str(plan), "-p", prompt, *cuts], standalone_mode=False) == 0
    text = plan.read_text("utf-8").replace('# quality = "standard"', f'quality = "{quality}"')
    assert f"number = {SHOTS}\n" in text

    def rendered(words: str) -> float:
        plan.write_text(words, "utf-8")
        began = time.perf_counter()
        assert main(["edit", str(plan), "-q"], standalone_mode=False) == 0
        return time.perf_counter() - began

    whole = rendered(text)
    one = rendered(text.replace(f"number = {SHOTS // 2}\n", f'number = {SHOTS // 2}\nprompt = "comic"\n'))
    with capsys.disabled():
        click.echo(f"\n{quality}: {whole:.1f} s in full, {one:.1f} s after one of {SHOTS} shots: {one / whole:.1%}")
    assert one <= MOST * whole
