"""`vedit config`: the options that are said once for all renders, and where they are said."""

from __future__ import annotations

import re
from typing import Any

import click

from vedit.cli import params
from vedit.cli.console import show, show_json, show_rows
from vedit.cli.mistyped import Group
from vedit.cli.restyle import restyle_command
from vedit.cli.settings import SETTINGS, Setting, config_path, in_force, option_keys, shown, variable_of

_TOLD_DEFAULT = re.compile(r"\[default: (.+)\]$")
"""In the help of an option whose default is decided later."""


@click.group("config", cls=Group, short_help="Show the options that are said once for all renders.")
def config_group() -> None:
    """Show the options of 'vedit restyle' that are said once for all renders, in a file or in the environment.

    \b
    Examples:
      vedit config show
      vedit config path
      VEDIT_QUALITY=draft vedit restyle input.mp4 --prompt "woodcut"

    The file is TOML, a line for each option by its long name:

    \b
      quality = "draft"
      strict = true
      control = ["tile", "softedge:0.5"]

    What is typed goes over the environment, the environment over the file. A switch is turned off again by its
    opposite, for instance --no-strict. 'vedit edit' and 'vedit timeline' take the options of the written file from
    here too, and --device, --allow-huge and --quiet; how the picture changes a plan and a looks file say themselves.
    """


@config_group.command("show", short_help="Show each option's value and who says it.")
@params.json_option
def show_command(*, as_json: bool) -> None:
    """Show the value of each option that can be said once for all, and who says it: a file, a variable, or nobody.

    \b
    Examples:
      vedit config show
      VEDIT_SEED=3 vedit config show --json
    """
    found = in_force(())
    path = config_path()
    if as_json:
        settings = {key: _as_json(key, found.get(key)) for key in SETTINGS}
        show_json({"file": path, "present": path.is_file(), "settings": settings})
        return
    values = {key: _value(key, found.get(key)) for key in SETTINGS}
    width = max(map(len, values.values()))
    show_rows({key: f"{value:<{width}}  {_who(found.get(key))}" for key, value in values.items()})
    show("")
    show(f"{path}{'' if path.is_file() else ' (not there)'}")


@config_group.command("path", short_help="Print the path of the file.")
@params.json_option
def path_command(*, as_json: bool) -> None:
    """Print where the file is looked for: VEDIT_CONFIG, or vedit/config.toml in the system's folder for settings.

    That folder is %APPDATA% on Windows, elsewhere XDG_CONFIG_HOME or, where that is not set, ~/.config.

    \b
    Examples:
      vedit config path
      "$EDITOR" "$(vedit config path)"
    """
    path = config_path()
    if as_json:
        show_json({"file": path, "present": path.is_file()})
    else:
        show(str(path))


def _as_json(key: str, setting: Setting | None) -> dict[str, object]:
    source, where = ("default", None) if setting is None else (setting.source, setting.where)
    value = _default(key) if setting is None else setting.value
    return {"value": value, "source": source, "where": where, "variable": variable_of(key)}


def _value(key: str, setting: Setting | None) -> str:
    if setting is not None:
        return shown(setting.value)
    value = _default(key)
    if value is not None and value != ():
        return shown(value)
    told = _TOLD_DEFAULT.search(option_keys(restyle_command)[key].help or "")
    return f"({told[1] if told else 'none'})"


def _who(setting: Setting | None) -> str:
    return "default" if setting is None else setting.where


def _default(key: str) -> Any:
    """What holds where nobody says anything; None where that is decided by the clip or the model."""
    option = option_keys(restyle_command)[key]
    value = option.get_default(click.Context(restyle_command))
    if isinstance(value, bool | int | float | str):
        return value
    return () if option.multiple else None
