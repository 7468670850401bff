"""One render in a process of its own: what was estimated of it, what its stages took, and its peak.

python -m tests.real_clips.measured '{"clip": "a.mp4", "frames": "#0..#8", "options": {"quality": "draft"}}'
`costs` names a file that what it cost is read from and kept in, as a user's machine keeps it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BEFORE = time.process_time()
BEGAN = time.monotonic()


def main() -> None:
    """Read what to render, and print what it took as JSON."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    asked: dict[str, Any] = json.loads(sys.argv[1])
    from vedit.media.output import OutputOptions
    from vedit.options.controls import parse_controls
    from vedit.options.request import RenderRequest, RestyleOptions
    from vedit.progress.callbacks import Progress
    from vedit.render.measured_costs import FILE, keep_start
    from vedit.render.outcome import RenderPlan
    from vedit.render.run import restyle

    options = dict(asked.get("options", {}))
    if "controls" in options:
        options["controls"] = parse_controls(tuple(options["controls"]))
    taken: dict[str, float] = {}
    last = [BEFORE]

    def book(stage: str) -> None:
        now = time.process_time()
        taken[stage] = taken.get(stage, 0.0) + now - last[0]
        last[0] = now

    def tell(step: Progress) -> None:
        book(step.stage)

    plans: list[RenderPlan] = []
    with tempfile.TemporaryDirectory() as folder:
        # Nothing that earlier renders have kept but the costs that are named: no inversions.
        cache, costs = Path(folder) / "cache", Path(asked.get("costs") or os.devnull)
        os.environ["VEDIT_CACHE"] = str(cache)
        cache.mkdir()
        if costs.is_file():
            shutil.copy(costs, cache / FILE)
        request = RenderRequest(
            source=Path(asked["clip"]),
            output=Path(folder) / asked.get("output", "out.mp4"),
            frames=asked["frames"],
            options=RestyleOptions(prompt="woodcut", **options),
            writing=OutputOptions(codec=asked.get("codec"), drop_unsupported=True),
        )
        book("start")
        # As the command line does: of what it took to get here.
        started = time.monotonic() - BEGAN
        restyle(request, on_progress=tell, on_plan=plans.append)
        if "costs" in asked:
            keep_start(started)
            shutil.copy(cache / FILE, costs)
    (plan,) = plans
    # Linux counts in kB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    told = {
        "frames": plan.frames,
        "size": plan.source_size,
        "seconds": plan.seconds,
        "memory": plan.peak_memory_bytes,
        "taken": taken,
        "wall": time.monotonic() - BEGAN,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
