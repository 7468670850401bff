"""Options of the command line from the one table of settings, and their values as the dataclasses that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from vedit.checks.setting import Setting, settings_of
from vedit.cli import completion, params
from vedit.cli.controlnets import controlnets
from vedit.cli.grouped import option, switch
from vedit.cli.listed import Listed

if TYPE_CHECKING:
    from vedit.registry.entry import Registry

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]

_TYPES: dict[str, click.ParamType] = {"rate": params.RateType(), "output": params.OUTPUT}
"""Of settings that have a form of their own."""
_COMPLETED = {
    "prompt": completion.looks,
    "controls": completion.controls,
    "model": completion.models,
    "loras": completion.listed("lora"),
    "embeddings": completion.listed("embedding"),
    "ip_adapter": completion.listed("ip-adapter"),
    "motion_adapter": completion.listed("motion"),
}
_READERS: dict[str, Callable[[Any], object]] = {"controlnets": controlnets}


def parameter_of(setting: Setting) -> str:
    """The name under which a command gets the setting's value; of several values as texts it says so."""
    if setting.about.several:
        return f"{setting.config_key}_texts"
    return setting.config_key if setting.about.off else setting.name


def option_of(setting: Setting, **other: Any) -> Decorator:
    """A setting as an option.

    Args:
        setting: which has one.
        other: what this command has otherwise, as `click.option` takes it. A `default` of None lets something else
            decide; `help` is the text without the default.
    """
    about = setting.about
    said = setting.said(setting.own, about.cli, "repeatable" if about.several else "")
    text = other.pop("help", None) or about.off or said
    if about.unset and "default" not in other:
        text = f"{text}  [default: {about.unset}]"
    more: dict[str, Any] = {"stage": about.stage, "common": about.common, **other}
    names = [f"--{setting.option}", *([f"-{about.short}"] if about.short else [])]
    if setting.kind == "boolean":
        if about.once:
            return switch(names[0], text, **more)
        return option(*names, parameter_of(setting), is_flag=True, help=text, **more)
    default = other.get("default", None if about.several else setting.default)
    more |= {"default": default, "show_default": default not in (None, "")}
    return option(
        *names,
        parameter_of(setting),
        type=_type_of(setting),
        multiple=about.several,
        metavar=about.metavar or None,
        shell_complete=_COMPLETED.get(setting.name),
        help=text,
        **more,
    )


def options_of(holder: type, *names: str) -> tuple[Decorator, ...]:
    """The options of the settings that a dataclass holds; of some of them by name."""
    found = {one.name: one for one in settings_of(holder) if one.option}
    return tuple(option_of(found[name]) for name in names or found)


def values_of(holder: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a command got for the settings that a dataclass holds, by the names of its fields, as these have it.

    Settings of several values in a form of their own are left to who knows it.
    """
    found: dict[str, Any] = {}
    for one in settings_of(holder):
        if not one.option or parameter_of(one) not in values:
            continue
        value = values[parameter_of(one)]
        if one.name in _READERS:
            found[one.name] = _READERS[one.name](value)
        elif not one.about.several:
            chosen = value is not None and one.values and one.kind == "text"
            found[one.name] = not value if one.about.off else one.value_of(str(value)) if chosen else value
    return found


def decorated(command: Command, options: Iterable[Decorator]) -> Command:
    """A command's function with options, the first of them first."""
    for each in reversed(tuple(options)):
        command = each(command)
    return command


def gathered(
    name: str, options: Iterable[Decorator], read: Callable[..., object] = dict
) -> Callable[[Command], Command]:
    """Options whose values a command gets as one argument.

    Args:
        name: of the argument.
        options: in the order of the help.
        read: parameters by name -> the argument.
    """
    options = tuple(options)
    taken = [str(one.name) for one in click.command()(decorated(_nothing, options)).params if one.expose_value]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(*args: Any, **values: Any) -> Any:
            own = {key: values.pop(key) for key in taken}
            return command(*args, **{name: read(**own)}, **values)

        return cast("Command", decorated(call, options))

    return decorate


def held(name: str, holder: type, *names: str) -> Callable[[Command], Command]:
    """Options of settings that one dataclass holds, as one argument: its fields by name, as it takes them."""

    def read(**values: Any) -> dict[str, Any]:
        return values_of(holder, values)

    return gathered(name, options_of(holder, *names), read)


def _type_of(setting: Setting) -> click.ParamType | None:
    if setting.name in _TYPES:
        return _TYPES[setting.name]
    if setting.about.plugged is not None:
        return Listed(cast("Callable[[], Registry]", setting.about.plugged))
    if setting.choices:
        return params.Choice(setting.choices)
    return params.number(setting.bound) if setting.bound is not None else None


def _nothing(**_: object) -> None:
    """What has the options alone."""
