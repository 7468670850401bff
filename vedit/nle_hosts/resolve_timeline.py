"""Resolve's whole timeline: exported in a format it has, restyled by `vedit timeline`, imported beside the first."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vedit.nle_hosts.launch import HostError, Run
from vedit.nle_hosts.resolve_api import Project, call

_LOOKS = "looks.toml"
EXPORTS = (
    *((f"EXPORT_FCPXML_1_{minor}", ".fcpxml") for minor in (14, 13, 12, 11, 10, 9, 8)),
    ("EXPORT_OTIO", ".otio"),
    ("EXPORT_FCP_7_XML", ".xml"),
)
"""What Resolve may be asked to write and `vedit timeline` reads, the first that a version has: its names of formats."""
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
    exported, result = _export(resolve, project, folder)
    looks = ["--edits", str(folder / _LOOKS)] if (folder / _LOOKS).is_file() else []
    # Resolve has the media open wherever it lies, so vedit may read it there too.
    words = [vedit, "timeline", str(exported), *looks, "-o", str(result), "--any-media", "--json", "--progress=json"]
    words.append(f"--handles={settings['handles']}")
    words += [f"{option}={settings[key]}" for key, option in _OPTIONS.items() if settings.get(key)]
    Run(words).follow(tell)
    why = f"Resolve did not import the result; import it by hand: File > Import > Timeline, {result}"
    options = {"timelineName": result.stem, "importSourceClips": True}
    # Newer versions write FCPXML as a bundle, a folder, of which they import what is in it.
    content = result / "Info.fcpxml" if result.is_dir() else result
    call(project.pool, "ImportTimelineFromFile", str(content), options, why=why)
    return result


def _export(resolve: Any, project: Project, folder: Path) -> tuple[Path, Path]:
    """Export the timeline in the first format that this Resolve has and writes.

    Returns:
        The export, and where its result goes.

    Raises:
        HostError: there is none.
    """
    name = str(call(project.timeline, "GetName"))
    problems: list[str] = []
    subtype = getattr(resolve, "EXPORT_NONE", None)
    for kind, ending in EXPORTS:
        value = getattr(resolve, kind, None)
        if value is None:
            continue
        exported, result = _free_names(folder, name, ending)
        try:
            words = [str(exported), value] if subtype is None else [str(exported), value, subtype]
            call(project.timeline, "Export", *words, why=f"Resolve did not export the timeline as {kind}")
        except HostError as error:
            problems.append(str(error))
            continue
        if exported.exists():
            return exported, result
        problems.append(f"Resolve wrote no {exported.name}")
    known = ", ".join(kind for kind, _ in EXPORTS)
    raise HostError("; ".join(problems) or f"this version of Resolve exports none of {known}")


def _free_names(folder: Path, name: str, ending: str) -> tuple[Path, Path]:
    """Where the export and the result go: NAME_v001.fcpxml and NAME_v001.vedit.fcpxml, counting up."""
    stem = re.sub(r"[^\w.-]+", "_", name).strip("._") or "timeline"
    number = 1
    while True:
        exported = folder / f"{stem}_v{number:03d}{ending}"
        result = exported.with_name(f"{exported.stem}.vedit{ending}")
        if not (exported.exists() or result.exists()):
            return exported, result
        number += 1
