"""Runs inside Blender: restyles a trimmed strip and prints what became of the sequencer, as one line of JSON.

blender --background --addons vedit_restyle --python blender_session.py -- CLIP SETTINGS_AS_JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

bpy: Any = import_module("bpy")
START, CUT, FIRST, STOP = 101, 5, 110, 114
"""Where the strip's content begins, frames cut off the file, and what the strip shows."""


def build(scene: Any, clip: str) -> Any:
    """A movie strip with hard and soft trims in channel 2, a transform, and another strip above it."""
    scene.render.fps, scene.render.fps_base = 24, 1.001
    strips = scene.sequence_editor_create().sequences
    strip = strips.new_movie(name="source", filepath=clip, channel=2, frame_start=START)
    strip.animation_offset_start, strip.animation_offset_end = CUT, 3
    strip.frame_final_start, strip.frame_final_end = FIRST, STOP
    strip.transform.scale_x = 0.5
    title = strips.new_effect(name="title", type="COLOR", channel=3, frame_start=STOP - 1, frame_end=STOP + 40)
    title.color = (1, 0, 0)
    title.mute = True
    scene.sequence_editor.active_strip = strip
    return strip


def picture(scene: Any, frame: int, folder: Path) -> list[float]:
    """The sequencer's picture at a frame, every 7th value."""
    scene.render.filepath = str(folder / "frame.png")
    scene.frame_set(frame)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    values = list(image.pixels)[::7]
    bpy.data.images.remove(image)
    return values


def distance(one: list[float], other: list[float]) -> float:
    """The mean absolute difference."""
    return sum(abs(a - b) for a, b in zip(one, other)) / len(one)  # noqa: B905 - Blender 3.4's own Python may be older


def main(clip: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Restyle, and compare the result with the source's neighbouring frames."""
    scene = bpy.context.scene
    strip = build(scene, clip)
    for name, value in settings.items():
        setattr(scene.vedit, name, value)
    try:
        answer, error = sorted(bpy.ops.sequencer.vedit_restyle()), ""
    except RuntimeError as problem:
        answer, error = [], str(problem)
    known = scene.sequence_editor.sequences_all
    told: dict[str, Any] = {"answer": answer, "error": error, "strips": {}, "distances": {}}
    for one in known:
        place = [one.channel, one.frame_final_start, one.frame_final_end, one.frame_final_duration]
        told["strips"][one.name] = {
            "place": place,
            "file": getattr(one, "filepath", ""),
            "scale": one.transform.scale_x,
        }
    added = [one for one in known if one.name not in ("source", "title")]
    if added:
        scene.render.resolution_x, scene.render.resolution_y = 480, 320
        with tempfile.TemporaryDirectory() as folder:
            result = picture(scene, FIRST, Path(folder))
            added[0].mute = True
            strip.frame_final_start, strip.frame_final_end = FIRST - 2, STOP
            for shift in (-2, -1, 0, 1, 2):
                told["distances"][shift] = distance(result, picture(scene, FIRST + shift, Path(folder)))
    return told


if __name__ == "__main__":
    words = sys.argv[sys.argv.index("--") + 1 :]
    print("TOLD " + json.dumps(main(words[0], json.loads(words[1]))), flush=True)  # noqa: T201 - the test reads it
