"""`vedit nle`: host scripts of editing systems, installed, removed, listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vedit.cli import params
from vedit.cli.console import jsonable, note, show, show_json, show_rows
from vedit.cli.mistyped import Group
from vedit.cli.shared_options import overwrite_option
from vedit.errors import InputError
from vedit.nle_hosts.places import HOSTS

if TYPE_CHECKING:
    from vedit.nle_hosts.install import Installed

_host = click.argument("host", metavar="HOST", type=params.Choice(HOSTS))
_folder = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="A folder instead of HOST's own."
)
_NEXT = {
    "resolve": "in Resolve: Workspace > Scripts > Utility > vedit_restyle",
    "blender": "in Blender: Edit > Preferences > Add-ons, enable 'vedit: restyle a strip'",
    "kdenlive": "run: python3 {folder}/vedit_timeline.py PROJECT.kdenlive",
    "premiere": "export the sequence as Final Cut Pro XML, then run: python3 {folder}/vedit_timeline.py FILE.xml",
    "final-cut": "export the project as XML, then run: python3 {folder}/vedit_timeline.py FILE.fcpxmld",
}


@click.group("nle", cls=Group, short_help="Scripts for editing systems: install, uninstall, list, where.")
def nle_group() -> None:
    """Install scripts that restyle clips from inside an editing system.

    HOST is one of: resolve, blender, kdenlive, premiere, final-cut.

    \b
    Examples:
      vedit nle install resolve
      vedit nle where blender
      vedit nle list
      vedit nle uninstall blender
    """


@nle_group.command("install", short_help="Put HOST's script into its folder.")
@_host
@_folder
@click.option("--vedit", "command", type=params.FILE, help="The vedit command to call.  [default: this one]")
@overwrite_option
@params.json_option
def install_command(*, host: str, folder: Path | None, command: Path | None, overwrite: bool, as_json: bool) -> None:
    """Put HOST's script into its folder and record where vedit is. A file that you changed is not replaced.

    \b
    Examples:
      vedit nle install resolve
      vedit nle install blender --folder /opt/blender/scripts/addons
      vedit nle install kdenlive --vedit /opt/vedit/bin/vedit
    """
    from vedit.nle_hosts.install import install, vedit_command
    from vedit.nle_hosts.places import Computer, places

    found = places(host, Computer(), folder=folder)
    vedit = vedit_command(command)
    done = [install(place, vedit, overwrite=overwrite) for place in found]
    for one in done:
        if not one.known:
            note(f"{host} has not been started here yet, as far as its folders tell; {one.folder} was made")
        for name in one.kept:
            note(f"{one.folder / name} was changed by you and is kept")
        if not as_json:
            show(f"{one.folder}: {', '.join(one.written) or 'nothing new'}")
    if as_json:
        show_json({"host": host, "places": done})
    else:
        show(_NEXT[host].format(folder=done[-1].folder))


@nle_group.command("uninstall", short_help="Remove what was installed.")
@_host
@_folder
@params.json_option
def uninstall_command(*, host: str, folder: Path | None, as_json: bool) -> None:
    """Remove what `vedit nle install` has put there; files that you changed, and all others, stay.

    \b
    Examples:
      vedit nle uninstall resolve
    """
    from vedit.nle_hosts.install import installed, uninstall
    from vedit.nle_hosts.places import Computer, places

    found = [place for place in places(host, Computer(), folder=folder) if installed(place).vedit]
    if not found:
        raise InputError(f"nothing is installed for {host}", remedy="see 'vedit nle list'")
    done = [uninstall(place) for place in found]
    for one in done:
        for name in one.kept:
            note(f"{one.folder / name} was changed by you and is kept")
        if not as_json:
            show(f"{one.folder}: removed {', '.join(one.removed) or 'nothing'}")
    if as_json:
        show_json({"host": host, "places": done})


@nle_group.command("where", short_help="Print the folders of HOST's script.")
@_host
@_folder
@params.json_option
def where_command(*, host: str, folder: Path | None, as_json: bool) -> None:
    """Print the folders that HOST's script goes to.

    \b
    Examples:
      vedit nle where blender
    """
    from vedit.nle_hosts.places import Computer, places

    folders = [place.folder for place in places(host, Computer(), folder=folder)]
    if as_json:
        show_json({"host": host, "folders": folders})
    else:
        for folder in folders:
            show(str(folder))


@nle_group.command("list", short_help="Print what is installed.")
@params.json_option
def list_command(*, as_json: bool) -> None:
    """Print every host and what is installed for it.

    \b
    Examples:
      vedit nle list --json
    """
    from vedit.nle_hosts.install import installed
    from vedit.nle_hosts.places import Computer, places

    there: dict[str, list[Installed]] = {}
    for host in HOSTS:
        try:
            there[host] = [installed(place) for place in places(host, Computer())]
        except InputError:
            there[host] = []
    if as_json:
        show_json({"hosts": [{"host": host, "places": jsonable(found)} for host, found in there.items()]})
    else:
        show_rows({host: "\n".join(map(_state, found)) or "no folder of it was found" for host, found in there.items()})


def _state(one: Installed) -> str:
    if not one.vedit:
        return f"not installed ({one.folder})"
    changed = f", changed by you: {', '.join(one.kept)}" if one.kept else ""
    gone = "" if Path(one.vedit).is_file() else ", which is gone: install it again"
    return f"{one.folder}, vedit {one.version} at {one.vedit}{gone}{changed}"
