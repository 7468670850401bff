"""Blender's video sequencer: restyle the active movie strip; the result becomes a strip above it.

One file, as a legacy add-on (3.4 and up) and as an extension (4.2 and up). See docs/nle/blender.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from vedit.nle_hosts.launch import (
    DEFAULT_HANDLES,
    HostError,
    Run,
    Spoken,
    find_vedit,
    overall,
    restyle_words,
    result_path,
    with_handles,
)
from vedit.nle_hosts.settings import ABOUT

bl_info = {
    "name": "vedit: restyle a strip",
    "author": "vedit contributors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "Video Sequencer > Sidebar > vedit",
    "description": "Restyle the active movie strip under a prompt with the vedit command",
    "category": "Sequencer",
}

bpy: Any = import_module("bpy")

MAX_NAME = 63
"""Bytes that Blender keeps of a strip's name."""
MAX_CHANNEL = 128
MAX_INTEGER = 2**31 - 1
"""Of a number that Blender holds."""
_TRANSFORM = ("offset_x", "offset_y", "scale_x", "scale_y", "rotation", "origin")
_CROP = ("min_x", "max_x", "min_y", "max_y")
_LOOK = ("use_flip_x", "use_flip_y", "blend_type", "blend_alpha", "alpha_mode")


class Piece(NamedTuple):
    """What is rendered for a strip."""

    strip: str
    scene: str
    source: Path
    frames: tuple[int, int]
    """Frames of the file, stop exclusive, handles included."""
    relative: bool
    """The strip names its file relative to the blend file; the result's strip shall too."""


def strips(owner: Any, *, everything: bool = False) -> Any:
    """The strips of a sequence editor or a meta strip; `everything` goes into meta strips. Renamed in Blender 4.4."""
    for name in ("strips_all", "sequences_all") if everything else ("strips", "sequences"):
        found = getattr(owner, name, None)
        if found is not None:
            return found
    raise HostError("this Blender's sequencer has neither strips nor sequences")


def scene_of(context: Any) -> Any:
    """The scene whose sequencer is edited: Blender 5 lets it differ from the window's."""
    return getattr(context, "sequencer_scene", None) or context.scene


def active_strip(context: Any) -> Any:
    """The active strip, or None."""
    editor = getattr(scene_of(context), "sequence_editor", None)
    return None if editor is None else editor.active_strip


def plan_piece(scene: Any, strip: Any, *, handles: int) -> Piece:
    """Which frames of which file a strip shows.

    Raises:
        HostError: the strip is no movie, its file is gone, or it does not show the file frame by frame.
    """
    if strip is None or strip.type != "MOVIE":
        raise HostError("select a movie strip")
    source = Path(bpy.path.abspath(strip.filepath)).resolve()
    if not source.is_file():
        raise HostError(f"{strip.name}: its file is not there: {source}")
    rate, own = scene.render.fps / scene.render.fps_base, float(strip.fps)
    if own and not math.isclose(rate, own, rel_tol=1e-4):
        raise HostError(
            f"{strip.name} runs at {own:g} frames/s in a scene of {rate:g}: set the scene's frame rate to it"
        )
    retimed = [*getattr(strip, "retiming_keys", ()), *getattr(strip, "retiming_handles", ())]
    if retimed or not math.isclose(getattr(strip, "speed_factor", 1.0), 1.0) or strip.use_reverse_frames:
        raise HostError(f"{strip.name} is retimed or runs backwards: restyle it first, retime the result")
    begin, length = round(strip.frame_start), int(strip.frame_duration)
    first, stop = max(0, strip.frame_final_start - begin), min(length, strip.frame_final_end - begin)
    if first >= stop:
        raise HostError(f"{strip.name} shows no frame of its file")
    cut, behind = int(strip.animation_offset_start), int(strip.animation_offset_end)
    frames = with_handles(first + cut, stop + cut, length + cut + behind, handles)
    return Piece(strip.name, scene.name, source, frames, strip.filepath.startswith("//"))


def add_result(piece: Piece, output: Path, name: str) -> Any:
    """Add a restyled piece above its strip: same start, length, picture placement and blending. Returns the new strip.

    Raises:
        HostError: the strip is gone, or every channel above it is taken.
    """
    editor = bpy.data.scenes[piece.scene].sequence_editor
    strip = strips(editor, everything=True).get(piece.strip)
    if strip is None:
        raise HostError(f"the strip {piece.strip} is gone; the result is {output}")
    among = strips(_owner(editor, strip))
    position = round(strip.frame_start) + piece.frames[0] - int(strip.animation_offset_start)
    first = min(position, strip.frame_final_start)
    stop = max(position + piece.frames[1] - piece.frames[0], strip.frame_final_end)
    channel = _free_channel(among, strip.channel, first, stop)
    path = bpy.path.relpath(str(output)) if piece.relative else str(output)
    added = among.new_movie(name=name, filepath=path, channel=channel, frame_start=position)
    added.frame_final_start, added.frame_final_end = strip.frame_final_start, strip.frame_final_end
    for part, values in (("transform", _TRANSFORM), ("crop", _CROP)):
        _copy(getattr(strip, part, None), getattr(added, part, None), values)
    _copy(strip, added, _LOOK)
    return added


def strip_name(prompt: str, seed: int) -> str:
    """The prompt and the seed as a strip's name; of a long prompt the end is left out, never the seed."""
    behind = f" [seed {seed}]"
    room = MAX_NAME - len(behind)
    return prompt.strip().encode()[:room].decode(errors="ignore").strip() + behind


def _owner(editor: Any, strip: Any) -> Any:
    """What holds the strip: the editor, or the meta strip that it lies in."""
    metas = (other for other in strips(editor, everything=True) if other.type == "META")
    return next((meta for meta in metas if strips(meta).get(strip.name) is not None), editor)


def _free_channel(among: Any, below: int, first: int, stop: int) -> int:
    taken = {s.channel for s in among if s.frame_final_start < stop and s.frame_final_end > first}
    channel = next((number for number in range(below + 1, MAX_CHANNEL + 1) if number not in taken), None)
    if channel is None:
        raise HostError("every channel above the strip is taken")
    return channel


def _copy(source: Any, target: Any, names: tuple[str, ...]) -> None:
    for name in names:
        if source is not None and hasattr(source, name) and hasattr(target, name):
            setattr(target, name, getattr(source, name))


def _tip(name: str, unset: str = "") -> str:
    """What a setting says, as Blender shows it: without the full stop, which it adds."""
    return "; ".join(filter(None, (ABOUT[name]["description"].rstrip("."), unset)))


def _number(name: str, unset: str = "") -> dict[str, Any]:
    """A setting that is a number, as Blender declares it; what decides it where it is 0 instead of nothing."""
    about = ABOUT[name]
    ends = {"min": about["min"], "max": min(about["max"], MAX_INTEGER)}
    return {**ends, "default": about["default"] or 0, "description": _tip(name, unset)}


WHOLE = 1.0
"""The strength that stands in the panel where nothing is said: all, or what a few-step model is best at."""


class RestyleSettings(bpy.types.PropertyGroup):
    """What the panel asks for, kept with the scene."""

    # Blender reads properties from the annotations themselves, not from their text.
    __annotations__ = {
        "prompt": bpy.props.StringProperty(name="Prompt", description="What the strip should look like"),
        "variation": bpy.props.FloatProperty(name="Variation", **_number("variation", unset="0 leaves it to the look")),
        "seed": bpy.props.IntProperty(name="Seed", **_number("seed")),
        "strength": bpy.props.FloatProperty(
            name="Strength", subtype="FACTOR", **{**_number("strength"), "default": WHOLE}
        ),
        "quality": bpy.props.EnumProperty(
            name="Quality",
            items=[(name, name.capitalize(), "") for name in ABOUT["quality"]["choices"]],
            default=ABOUT["quality"]["default"],
            description=_tip("quality"),
        ),
        "model": bpy.props.StringProperty(name="Model", default=ABOUT["model"]["default"], description=_tip("model")),
        "handles": bpy.props.IntProperty(
            name="Handles", min=0, default=DEFAULT_HANDLES, description="Frames rendered before and behind the strip"
        ),
        "status": bpy.props.StringProperty(options={"SKIP_SAVE"}),
    }


class Preferences(bpy.types.AddonPreferences):
    """Where the vedit command is, where it was moved since the installation."""

    bl_idname = __package__ or __name__
    __annotations__ = {"vedit": bpy.props.StringProperty(name="vedit command", subtype="FILE_PATH")}

    def draw(self, _context: Any) -> None:
        """Draw the one setting."""
        self.layout.prop(self, "vedit")


class RestyleStrip(bpy.types.Operator):
    """Restyle the active movie strip; the result is added above it"""

    bl_idname = "sequencer.vedit_restyle"
    bl_label = "Restyle Strip"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender's own form

    current: Run | None = None
    """The one render under way."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only one at a time, and only for movies."""
        strip = active_strip(context)
        return cls.current is None and strip is not None and strip.type == "MOVIE"

    def execute(self, context: Any) -> set[str]:
        """Wait for the result: for scripts and for Blender without a window."""
        return self._reported(lambda: self._wait(context))

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Go on in the background; Blender stays usable."""
        return self._reported(lambda: self._begin(context))

    def modal(self, context: Any, event: Any) -> set[str]:
        """Look after the render each time the timer ticks."""
        if event.type != "TIMER" or RestyleStrip.current is None:
            return {"PASS_THROUGH"}
        run, settings = RestyleStrip.current, scene_of(context).vedit
        for told in run.events():
            if told.get("event") == "progress":
                settings.status = f"{overall(told)}{told.get('stage')} {told.get('done')}/{told.get('total')}"
        for area in context.screen.areas if context.screen else ():
            area.tag_redraw()
        if run.running:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        RestyleStrip.current, settings.status = None, ""
        return self._reported(lambda: self._finish(run))

    def _wait(self, context: Any) -> set[str]:
        run, spoken = self._start(context), Spoken()

        def tell(event: dict[str, Any]) -> None:
            line = spoken.line(event)
            if line:
                print(f"vedit: {line}", flush=True)  # noqa: T201 - Blender's console

        run.follow(tell)
        return self._finish(run)

    def _begin(self, context: Any) -> set[str]:
        RestyleStrip.current = self._start(context)
        self._timer = context.window_manager.event_timer_add(0.25, window=context.window)
        context.window_manager.modal_handler_add(self)
        scene_of(context).vedit.status = "starting"
        return {"RUNNING_MODAL"}

    def _start(self, context: Any) -> Run:
        scene = scene_of(context)
        settings = scene.vedit
        self._piece = plan_piece(scene, active_strip(context), handles=settings.handles)
        self._output = result_path(self._piece.source)
        self._name = strip_name(settings.prompt, settings.seed)
        look = {name: getattr(settings, name) for name in ("prompt", "quality", "model")}
        if settings.strength != WHOLE:
            look["strength"] = settings.strength
        # 0 is what is not set: a seed on which nothing hangs is refused.
        look.update({name: getattr(settings, name) for name in ("variation", "seed") if getattr(settings, name)})
        known = context.preferences.addons.get(Preferences.bl_idname)
        vedit = find_vedit([Path(__file__).resolve().parent], known.preferences.vedit if known else "")
        return Run(restyle_words(vedit, self._piece.source, self._output, self._piece.frames, look))

    def _finish(self, run: Run) -> set[str]:
        run.result()
        added = add_result(self._piece, self._output, self._name)
        self.report({"INFO"}, f"added {added.name} in channel {added.channel}: {self._output}")
        return {"FINISHED"}

    def _reported(self, act: Callable[[], set[str]]) -> set[str]:
        try:
            return act()
        except HostError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}


class StopRestyle(bpy.types.Operator):
    """Finish the current unit, then stop; the same render goes on from there later"""

    bl_idname = "sequencer.vedit_stop"
    bl_label = "Stop"

    def execute(self, _context: Any) -> set[str]:
        """Ask the render to stop."""
        if RestyleStrip.current is not None:
            RestyleStrip.current.stop()
        return {"FINISHED"}


class RestylePanel(bpy.types.Panel):
    """The settings and the button, in the sequencer's sidebar."""

    bl_idname = "SEQUENCER_PT_vedit"
    bl_label = "Restyle"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "vedit"

    def draw(self, context: Any) -> None:
        """Draw them."""
        settings, column = scene_of(context).vedit, self.layout.column()
        for name in ("prompt", "variation", "seed", "strength", "quality", "model", "handles"):
            column.prop(settings, name)
        column.operator(RestyleStrip.bl_idname, icon="BRUSH_DATA")
        if RestyleStrip.current is not None:
            column.label(text=settings.status)
            column.operator(StopRestyle.bl_idname, icon="CANCEL")


_CLASSES = (RestyleSettings, Preferences, RestyleStrip, StopRestyle, RestylePanel)


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    for one in _CLASSES:
        bpy.utils.register_class(one)
    bpy.types.Scene.vedit = bpy.props.PointerProperty(type=RestyleSettings)


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    if RestyleStrip.current is not None:
        RestyleStrip.current.stop()
    del bpy.types.Scene.vedit
    for one in reversed(_CLASSES):
        bpy.utils.unregister_class(one)
