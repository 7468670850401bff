"""Commands whose options may be said once for all renders, see `vedit.cli.settings`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import click

from vedit.cli.console import note
from vedit.cli.grouped import Grouped
from vedit.cli.settings import SETTINGS, SHARED, Setting, in_force, option_keys, shown

_FOUND = "vedit.settings"


class Configured(Grouped):
    """A command whose options may be said once for all."""

    keys: tuple[str, ...] = SHARED

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            typed = self.make_parser(ctx).parse_args(list(args))[0]
            asked = self.get_help_option(ctx)
            if asked is None or asked.name not in typed:  # a fault in the file is no reason to withhold the help
                self._take(ctx, typed)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        found = cast("list[Setting]", ctx.meta.get(_FOUND, []))
        if found and not ctx.params.get("quiet"):
            note(_told(found))
        return super().invoke(ctx)

    def _take(self, ctx: click.Context, typed: Mapping[str, Any]) -> None:
        options = option_keys(self)
        found = in_force([key for key, option in options.items() if option.name in typed])
        used = [setting for key, setting in found.items() if key in self.keys and key in options]
        ctx.meta[_FOUND] = used
        ctx.default_map = {options[setting.key].name: setting.value for setting in used}


class ConfiguredRestyle(Configured):
    """The command whose options they are."""

    keys = SETTINGS


def _told(found: Collection[Setting]) -> str:
    """The settings of a run in one line, by who says them."""
    by_place: dict[str, list[str]] = {}
    for setting in found:
        place = setting.where if setting.source == "file" else "the environment"
        by_place.setdefault(place, []).append(f"{setting.key} = {shown(setting.value)}")
    return "; ".join(f"from {place}: {', '.join(texts)}" for place, texts in by_place.items())
