"""Resolve's whole timeline: exported as FCPXML, restyled by `vedit timeline`, imported beside the first one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vedit.nle_hosts.launch import HostError, Run
from vedit.nle_hosts.resolve_api import Project, call

_LOOKS = "looks.toml"
_OPTIONS = {"quality": "--quality", "model": "--model", "device": "--device", "codec": "--codec", "preset": "--preset"}


def restyle_timeline(
    resolve: Any,
    project: Project,
    settings: dict[str, Any],
    vedit: str,
    tell: Callable[[dict[str, Any]], None],
) -> Path:
    """Restyle every clip that a VEDIT marker or a `looks.toml` names. The current timeline stays as it is.

    Args:
        resolve: the application, which holds the names of its export formats.
        project: what is open.
        settings: those of the script; `folder` takes the timelines, and may hold a `looks.toml`.
        vedit: the command.
        tell: is handed every event of the run.

    Returns:
        The timeline file that was imported.

    Raises:
        HostError: no folder is set, Resolve refused, or vedit did.
    """
    folder = Path(settings["folder"]).expanduser() if settings["folder"] else None
    if folder is None or not folder.is_dir():
        raise HostError(f"set 'folder' to a folder that is there, for the timelines; it is {settings['folder']!r}")
    name = str(call(project.timeline, "GetName"))
    exported, result = _free_names(folder, name)
    kinds = [getattr(resolve, kind, None) for kind in ("EXPORT_FCPXML_1_10", "EXPORT_NONE")]
    if None in kinds:
        raise HostError("this version of Resolve does not export FCPXML 1.10")
    call(project.timeline, "Export", str(exported), *kinds, why="Resolve did not export the timeline")
    looks = ["--edits", str(folder / _LOOKS)] if (folder / _LOOKS).is_file() else []
    # Resolve has the media open wherever it lies, so vedit may read it there too.
    words = [vedit, "timeline", str(exported), *looks, "-o", str(result), "--any-media", "--json", "--progress=json"]
    words.append(f"--handles={settings['handles']}")
    words += [f"{option}={settings[key]}" for key, option in _OPTIONS.items() if settings.get(key)]
    Run(words).follow(tell)
    why = f"Resolve did not import the result; import it by hand: File > Import > Timeline, {result}"
    options = {"timelineName": result.stem, "importSourceClips": True}
    call(project.pool, "ImportTimelineFromFile", str(result), options, why=why)
    return result


def _free_names(folder: Path, name: str) -> tuple[Path, Path]:
    """Where the export and the result go: NAME_v001.fcpxml and NAME_v001.vedit.fcpxml, counting up."""
    stem = re.sub(r"[^\w.-]+", "_", name).strip("._") or "timeline"
    number = 1
    while True:
        exported = folder / f"{stem}_v{number:03d}.fcpxml"
        result = exported.with_name(f"{exported.stem}.vedit.fcpxml")
        if not (exported.exists() or result.exists()):
            return exported, result
        number += 1
