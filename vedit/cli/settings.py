"""Options that are said once for all renders: in a file of the user's, or in the environment.

What is typed goes over the environment, and the environment over the file. Whatever decides is handed to the command as
if it had been typed, so that a render and its record hold the value and not where it came from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import click

from vedit.checks.nearest import nearest
from vedit.checks.setting import Setting as OptionSetting
from vedit.checks.setting import settings_of
from vedit.checks.structured import read_toml
from vedit.cli import params
from vedit.cli.controlnets import controlnets
from vedit.errors import InputError
from vedit.options.look_schema import Key, check_table, key_of
from vedit.options.table import HOLDERS
from vedit.registry.catalogue import user_folder

PREFIX = "VEDIT_"
VARIABLE = "VEDIT_CONFIG"
"""Names another file than the usual one."""
OWN_VARIABLES = (
    "CACHE",
    "CACHE_DAYS",
    "CACHE_GB",
    "CHROMIUM",
    "CONFIG",
    "DEBUG",
    "EXECUTABLE",
    "MEDIA_SCALE",
    "MODEL_DIR",
    "MODELS",
    "OFFLINE",
    "RAFT_MODEL",
    "REQUIRE_GPU",
    "TEST_DATA",
    "WRITE_DOCS",
)
"""Variables of this program, behind the prefix, that are no option's."""


def said_once(*holders: type) -> dict[str, OptionSetting]:
    """Of the settings that dataclasses hold those that can be said once for all renders, by their keys."""
    return {one.config_key: one for holder in holders for one in settings_of(holder) if one.about.once and one.option}


_ONCE = said_once(*HOLDERS)
SETTINGS = (*_ONCE, "quiet")
"""The options of `vedit restyle` that can be said once for all. Not what is true of one clip (its look, masks, range,
rate), not where a result goes, and nothing by which a file would be replaced without being asked each time."""
SHARED = (*(key for key, one in _ONCE.items() if one.about.shared), "quiet")
"""Those that hold for the other commands that render, too: a plan and a timeline say themselves how the picture
changes."""

_GIVES_WAY = {"control": ("keep",), "keep": ("control",), "quality": ("steps", "size"), "model": ("controlnet",)}
"""What an option that is said nearer sets aside of what is said farther: the same thing said otherwise, or a part of
what it replaces."""
_TRUTHS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_BETWEEN = ";"

Table = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A value in force, and who says so."""

    key: str
    value: Any
    source: Literal["environment", "file"]
    where: str
    """The variable, or the file."""


def config_path() -> Path:
    """The user's file: what VEDIT_CONFIG names, else config.toml in the folder that the system has for such files."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else user_folder() / "config.toml"


def option_keys(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their long names, as a file and the environment call them."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    return {max(option.opts, key=len).removeprefix("--").replace("-", "_"): option for option in options}


def in_force(typed: Collection[str]) -> dict[str, Setting]:
    """Key -> the setting that holds where the options of these keys are typed.

    Raises:
        InputError: a key is not known, or a value is none that the option takes.
    """
    said, found = set(typed), dict[str, Setting]()
    for layer in (_from_environment(), _from_file()):
        aside = {key for nearer in said for key in _GIVES_WAY.get(nearer, ())}
        new = {key: setting for key, setting in layer.items() if key not in said and key not in aside}
        found |= new
        said |= new.keys()
    for setting in found.values():
        _check_meaning(setting)
    return found


def shown(value: object) -> str:
    """A value to read."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, cast("list[object]", value))) if isinstance(value, (list, tuple)) else str(value)


@cache
def restyle_keys() -> tuple[dict[str, Key], frozenset[str]]:
    """What may be said once for all, as the options have it; and the keys of what belongs to one render."""
    from vedit.cli.restyle_options import restyle_options

    options = option_keys(click.command()(restyle_options(_nothing)))
    quiet = Key(kind="boolean", about=options["quiet"].help or "")
    keys = {key: key_of(one) for key, one in _ONCE.items()} | {"quiet": quiet}
    # What a variable of the program's own says for all renders (VEDIT_MODEL_DIR) belongs to none.
    own = {name.lower() for name in OWN_VARIABLES}
    return keys, frozenset(options) - set(SETTINGS) - own


def _nothing(**_: object) -> None:
    """What has the options alone."""


def _from_file() -> dict[str, Setting]:
    path = config_path()
    if not os.path.lexists(path):
        if os.environ.get(VARIABLE):
            raise InputError(f"{VARIABLE} names {path}, which is not there", remedy="correct it, or unset it")
        return {}
    keys, of_one_render = restyle_keys()
    where = str(path)
    table: dict[str, object] = {}
    for written, value in read_toml(path, where).items():
        key = written.replace("-", "_")
        if key in table:
            raise InputError(f"{where}: {key} is said twice")
        if key in of_one_render:
            raise InputError(
                f"{where}: {written} belongs to one render", remedy=f"say {_option(key)} where it is meant"
            )
        digits = keys[key].choices if key in keys and isinstance(value, int) else ()
        table[key] = str(value) if str(value) in digits else value
    checked = check_table(table, keys, where)
    several = {key: list(_texts(value)) if keys[key].several else value for key, value in checked.items()}
    placed = {key: _placed(key, value, where) for key, value in several.items()}
    return _layer(placed, "file", lambda _: where)


def _placed(key: str, value: object, where: str) -> object:
    """A value of the file without what would be another file in each folder that the command is run in."""
    if key == "model":
        return _anywhere(str(value), f"{where}: {key} = {value!r}")
    if key == "controlnet":
        return [_placed_branch(text, f"{where}: {key} = {text!r}") for text in _texts(value)]
    if key == "control" and any(",mask=" in text for text in _texts(value)):
        raise InputError(f"{where}: control names a mask, which belongs to one clip", remedy="say it with --control")
    return value


def _placed_branch(text: str, said: str) -> str:
    kind, equals, place = text.partition("=")
    return f"{kind}={_anywhere(place.strip(), said)}" if equals else text  # which is refused for what it is


def _anywhere(text: str, said: str) -> str:
    """A model by a name that holds wherever the command is run. Raises InputError where it is none."""
    from vedit.models.resolve import known_models
    from vedit.weights.hub_cache import hub_place

    path = Path(text).expanduser()
    if path.is_absolute() or text in {model.name for model in known_models()}:
        return str(path)
    if hub_place(text) is None or path.exists():
        raise InputError(said, remedy="give a listed name, an absolute path, or a hub id that is no folder here")
    return text


def _from_environment() -> dict[str, Setting]:
    keys, of_one_render = restyle_keys()
    table: dict[str, object] = {}
    for variable in sorted(name for name in os.environ if name.startswith(PREFIX)):
        key, text = variable.removeprefix(PREFIX).lower(), os.environ[variable]
        if not text or key.upper() in OWN_VARIABLES:
            continue
        if key in of_one_render:
            raise InputError(f"{variable} is set, and {key} belongs to one render", remedy=f"say {_option(key)} there")
        if key not in keys:
            # What is nobody's is another program's; what is nearly an option's was meant to be one.
            near = nearest(key, [*keys, *OWN_VARIABLES], cutoff=0.8)
            if near is not None:
                raise InputError(f"{variable} is no setting", remedy=f"the nearest is {variable_of(near)}")
            continue
        table[key] = _read(text, keys[key])
        fault = keys[key].fault(table[key])
        if fault is not None:
            raise InputError(f"{variable} is {text!r}", remedy=f"{key} {fault}")
    return _layer(table, "environment", variable_of)


def variable_of(key: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{key.upper()}"


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _read(text: str, key: Key) -> object:
    """The value that a variable stands for; the text itself where it stands for none, which the key then refuses."""
    if key.several:
        return [part.strip() for part in text.split(_BETWEEN) if part.strip()]
    if key.kind == "boolean":
        return _TRUTHS.get(text.strip().lower(), text)
    readers: dict[str, Callable[[str], object]] = {"integer": int, "number": float}
    try:
        return readers.get(key.kind, str)(text)
    except ValueError:
        return text


def _layer(table: Table, source: Literal["environment", "file"], where: Callable[[str], str]) -> dict[str, Setting]:
    if {"keep", "control"} <= table.keys():
        places = " and ".join(dict.fromkeys((where("keep"), where("control"))))
        raise InputError(f"{places}: keep and control exclude each other", remedy="leave one of them out")
    return {key: Setting(key=key, value=value, source=source, where=where(key)) for key, value in table.items()}


def _check_meaning(setting: Setting) -> None:
    """Raises InputError for a value of the right type that says nothing that can be."""
    try:
        if setting.key == "control":
            params.controls(_texts(setting.value))
        elif setting.key == "controlnet":
            controlnets(_texts(setting.value))
        elif setting.key == "model":
            from vedit.models.resolve import resolve

            resolve(setting.value)
    except InputError as error:
        message, remedy = error.message, error.remedy
    except click.UsageError as error:
        message, remedy = error.message, ""
    else:
        return
    said = f"{setting.where}: {setting.key}" if setting.source == "file" else setting.where
    raise InputError(f"{said}: {message}", remedy=remedy)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(cast("list[str]", value)) if isinstance(value, list) else (str(value),)
