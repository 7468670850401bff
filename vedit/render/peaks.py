"""Peak memory of a render: the process, the weights, the most demanding pass, a window, and frames at full size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vedit.threads import threads

if TYPE_CHECKING:
    from vedit.models.footprint import Footprint, Scene

BASE_BYTES = 520 * 10**6
"""Of the process before a frame is read: a render at strength 0 peaks there."""
WINDOW_BYTES = 125
"""A working pixel of the window: the frames, what the controls draw of them, and what is made of both; and what is held
of as many to steady them, with their motion."""
CARRIED_BYTES = 2000
"""A working pixel of what is carried between keys: the motions of a span, both ways, and those that are estimated."""
TAKEN_BYTES = 48
"""A working pixel of each frame that is finished together: what it takes from its keys, and the frames of it."""
_FULL_BYTES = 105
"""A pixel of the frames that are finished together, with the copies on the way and those in the encoder."""
_FULL_BYTES_AT_ONCE = 12
"""A pixel of each such frame beside the first."""
_IN_HAND_BYTES = 80
"""A pixel of each frame beside the first that is enlarged at the same time, on a thread of its own."""
_HELD_FRAMES, _HELD_BYTES = 60, 2.5
"""Frames that an encoder holds to look ahead, and a pixel of each."""
_WAITING_FRAMES, _WAITING_BYTES = 10, 4
"""Frames of the source that wait to be steadied (`vedit.finishing.deflicker.REACH`), and a pixel of each."""
_CONTEXT_BYTES = 450 * 10**6
"""Of a GPU's memory that its driver and libraries take for themselves."""


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Bytes at the peak."""

    host: int
    device: int | None
    """Of a GPU; None on a CPU, where the networks are in host memory."""


def highest(found: Iterable[Peaks]) -> Peaks:
    """The peaks of looks that are rendered one after the other."""
    every = tuple(found)
    on_device = [one.device for one in every if one.device is not None]
    return Peaks(host=max(one.host for one in every), device=max(on_device, default=None))


def full_size_bytes(pixels: int, *, together: int, frames: int, changes: bool = True) -> int:
    """Host memory of frames at full size.

    Args:
        pixels: of a frame of the source.
        together: frames that are finished together.
        frames: of the render.
        changes: whether anything is regenerated, and enlarged therefore.
    """
    in_hand = min(together, threads()) - 1 if changes else 0
    held = min(frames, _HELD_FRAMES) * _HELD_BYTES + min(frames, _WAITING_FRAMES) * _WAITING_BYTES
    return int(pixels * (_FULL_BYTES + (together - 1) * _FULL_BYTES_AT_ONCE + in_hand * _IN_HAND_BYTES + held))


def peaks(model: Footprint, scene: Scene, full: int, *, samples: bool = True, offloaded: bool = False) -> Peaks:
    """The peaks of a render by what its model takes.

    Args:
        model: its footprint in the scene.
        scene: what its networks work on.
        full: bytes of the frames at full size.
        samples: whether anything is regenerated; a model is loaded in any case.
        offloaded: network and autoencoder take turns in a GPU's memory, and wait in the host's, though the scene's
            loading does not ask for it.
    """
    window = scene.height * scene.width * scene.window * WINDOW_BYTES if samples else 0
    if scene.loading.kind == "cpu":
        at_work = model.all_weights + (model.activations if samples else 0) + window + full
        return Peaks(host=BASE_BYTES + max(model.loading, at_work), device=None)
    if scene.loading.offload != "none":
        # Networks that wait on the host are loaded there.
        host = max(model.loading, model.all_weights + window + full)
        return Peaks(host=BASE_BYTES + host, device=_taking_turns(model, scene.loading.offload) + _CONTEXT_BYTES)
    waiting = model.all_weights if offloaded else 0
    on_device = _taking_turns(model, "model") if offloaded else model.all_weights + model.activations
    return Peaks(
        host=BASE_BYTES + max(model.largest_stored, window + full) + waiting,
        device=max(on_device, model.settling) + _CONTEXT_BYTES,
    )


def _taking_turns(model: Footprint, offload: str) -> int:
    """What is on the device at once where one of autoencoder and network is there, or of the network two blocks and
    what is small; what reads words and pictures stays."""
    coder = model.weights["vae"]
    stays = sum(size for part, size in model.weights.items() if part.startswith(("text_encoder", "ip_adapter")))
    network, small = model.all_weights - coder - stays, 0
    if offload == "group":
        network, small = 2 * model.block, model.standing
    most = max(model.denoise.peak, model.reader)
    return stays + small + max(network + most, coder + max(model.encode.peak, model.decode.peak))
