"""The process that `tests.support.killing` forks its runs from."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    import cv2
    import torch

    from vedit.cli.app import main as command
    from vedit.sample_clip.clip import sample_frames

    # What the commands import only when they come to it is here for all forks as well.
    for name in ("vedit.render.run", "vedit.models.families.sd", "vedit.control_maps.export", "vedit.masks.export"):
        importlib.import_module(name)
    cv2.setNumThreads(0)  # a fork would not have its threads, nor torch's
    torch.set_num_threads(1)
    load_once()
    next(sample_frames(1))  # paints the picture of the sample clip, which takes seconds

    gc.freeze()  # a collection in a fork would copy the memory of all of this

    # One line asks for some runs, one line tells how they ended.
    while asked := sys.stdin.readline():
        sys.stdout.write(json.dumps([ended(command, run) for run in json.loads(asked)]) + "\n")
        sys.stdout.flush()


def load_once() -> None:
    """Have the embedded model, which all renders here use, loaded by this process for its forks."""
    from vedit.models.load import load
    from vedit.models.loading import Loading
    from vedit.models.resolve import resolve
    from vedit.render import prepare

    model = load(resolve("embedded"), Loading(device="cpu"), controls=("tile", "softedge"))

    def loaded(ref: Any, loading: Any, *, controls: tuple[str, ...]) -> Any:
        assert (ref.name, set(controls)) == (model.name, set(model.control_kinds))
        return model

    setattr(prepare, "load", loaded)  # noqa: B010


def ended(command: Any, run: dict[str, Any]) -> dict[str, Any]:
    """How a run in a fork of this process ended."""
    with tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if child == 0:
            os.chdir(run["folder"])
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(errors.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            # No process of its own for each file that is opened: a fork of this one is quicker.
            setattr(importlib.import_module("vedit.media.reading.isolate"), "check_file", unchecked)  # noqa: B010
            if run["kill_at"] is not None:
                arm(run["armed"], run["kill_at"], getattr(signal, run["signal"]))
            code = command(run["words"], standalone_mode=False)
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        errors.seek(0)
        names = sorted(str(path.relative_to(run["folder"])) for path in Path(run["folder"]).rglob("*"))
        return {"code": os.waitstatus_to_exitcode(status), "error": errors.read(), "names": names}


def unchecked(*_: object, **__: object) -> None:
    """In place of `check_file`."""


def arm(name: str, at: int, number: int) -> None:
    """Count changes of names from the first call of a function on, and send the signal before change `at`."""
    module, function = name.split(":")
    owner: Any = importlib.import_module(module)
    *outer, last = function.split(".")
    for part in outer:
        owner = getattr(owner, part)
    counting, count = [False], [0]
    original = getattr(owner, last)

    def begins(*words: Any, **more: Any) -> Any:
        counting[0] = True
        return original(*words, **more)

    for holder in [owner, *(m for m in list(sys.modules.values()) if getattr(m, last, None) is original)]:
        setattr(holder, last, begins)

    def counted(call: Any) -> Any:
        def change(*words: Any, **more: Any) -> Any:
            if counting[0]:
                count[0] += 1
                if count[0] == at:
                    os.kill(os.getpid(), number)
            return call(*words, **more)

        return change

    for entry in ("rename", "replace", "link", "unlink", "remove", "rmdir", "mkdir"):
        setattr(os, entry, counted(getattr(os, entry)))


if __name__ == "__main__":
    main()
