"""Which files each editing system gets, and in which folders they lie on each operating system."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from vedit.errors import InputError
from vedit.nle_hosts.single_file import single_file

HOSTS = ("resolve", "blender", "kdenlive", "premiere", "final-cut")
ADDON = "vedit_restyle"
_FIRST_BLENDER: tuple[int, ...] = (3, 4)
_FIRST_EXTENSIONS: tuple[int, ...] = (4, 2)


@dataclass(frozen=True, kw_only=True)
class Computer:
    """Whose folders are meant: the operating system as `sys.platform` says it, and a home."""

    system: str = sys.platform
    home: Path = field(default_factory=Path.home)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def folder(self, variable: str, *otherwise: str) -> Path:
        """What a variable names, else a folder of the home."""
        named = self.environ.get(variable, "")
        return Path(named) if named else self.home.joinpath(*otherwise)

    @property
    def roaming(self) -> Path:
        """%APPDATA% of Windows."""
        return self.folder("APPDATA", "AppData", "Roaming")


@dataclass(frozen=True, kw_only=True)
class HostFile:
    """A file that is installed."""

    name: str
    read: Callable[[], str]
    users: bool = False
    """It is there to be changed: a changed one is kept."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder and what belongs into it."""

    folder: Path
    files: tuple[HostFile, ...]
    own: bool
    """The folder holds nothing but vedit's files and is removed with them."""
    known: bool = True
    """The editing system has been started here before, as far as its folders tell."""


def places(host: str, computer: Computer, *, folder: Path | None = None) -> tuple[Place, ...]:
    """Where the files of a host go.

    Args:
        host: one of `HOSTS`.
        computer: whose folders.
        folder: a folder to use instead of the host's own.

    Raises:
        InputError: the host is not known, or Blender has no folder of its own yet.
    """
    if host == "resolve":
        return (_resolve(computer, folder),)
    if host == "blender":
        return _blender(computer, folder)
    if host not in HOSTS:
        raise InputError(f"there is no host {host!r}", remedy=f"use one of {', '.join(HOSTS)}")
    return (
        Place(
            folder=folder or _data(computer) / "nle" / host,
            files=(_script("vedit_timeline.py", "timeline_file"), _data_file("looks.toml", users=True)),
            own=folder is None,
        ),
    )


def _resolve(computer: Computer, folder: Path | None) -> Place:
    if computer.system == "darwin":
        base = computer.home / "Library" / "Application Support" / "Blackmagic Design" / "DaVinci Resolve"
    elif computer.system == "win32":
        base = computer.roaming / "Blackmagic Design" / "DaVinci Resolve" / "Support"
    else:
        base = computer.home / ".local" / "share" / "DaVinciResolve"
    return Place(
        folder=folder or base / "Fusion" / "Scripts" / "Utility",
        files=(_script("vedit_restyle.py", "resolve"), _data_file("vedit-resolve.json", users=True)),
        own=False,
        known=folder is not None or base.is_dir(),
    )


def _blender(computer: Computer, folder: Path | None) -> tuple[Place, ...]:
    if folder is not None:
        return (_addon(folder),)
    if computer.system == "darwin":
        base = computer.home / "Library" / "Application Support" / "Blender"
    elif computer.system == "win32":
        base = computer.roaming / "Blender Foundation" / "Blender"
    else:
        base = computer.folder("XDG_CONFIG_HOME", ".config") / "blender"
    found: list[Place] = []
    for path in sorted(base.iterdir()) if base.is_dir() else ():
        version = tuple(map(int, path.name.split("."))) if re.fullmatch(r"\d+\.\d+", path.name) else ()
        if path.is_dir() and version >= _FIRST_BLENDER:
            inner = "extensions/user_default" if version >= _FIRST_EXTENSIONS else "scripts/addons"
            found.append(_addon(path.joinpath(*inner.split("/"))))
    if not found:
        raise InputError(
            f"no Blender 3.4 or newer has folders in {base}",
            remedy="start Blender once, or name its add-on folder with --folder",
        )
    return tuple(found)


def _addon(folder: Path) -> Place:
    files = (_script("__init__.py", "blender"), _data_file("blender_manifest.toml"))
    return Place(folder=folder / ADDON, files=files, own=True)


def _data(computer: Computer) -> Path:
    if computer.system == "darwin":
        return computer.home / "Library" / "Application Support" / "vedit"
    if computer.system == "win32":
        return computer.folder("LOCALAPPDATA", "AppData", "Local") / "vedit"
    return computer.folder("XDG_DATA_HOME", ".local", "share") / "vedit"


def _script(name: str, module: str) -> HostFile:
    return HostFile(name=name, read=partial(single_file, module))


def _data_file(name: str, *, users: bool = False) -> HostFile:
    return HostFile(name=name, read=partial(Path(__file__).with_name(name).read_text, "utf-8"), users=users)
