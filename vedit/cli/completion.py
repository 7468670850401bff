"""Completion in the shell: what options take that is known only to vedit, and the scripts that ask for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import wraps

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

DEFAULT = "embedded"
VARIABLE = "_VEDIT_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

Found = Iterator[CompletionItem[str]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def completed(find: Callable[[click.Context, str], Found]) -> Complete:
    """What `shell_complete=` of an option takes, from a function of the words so far and the word that is begun."""

    @wraps(find)
    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem[str]]:
        try:
            return list(find(context, begun))
        except Exception:  # a fault shows when the command is run, not as a traceback in the middle of its line
            return []

    return complete


@completed
def models(_: click.Context, begun: str) -> Found:
    """Models by name, or a folder or file."""
    from vedit.models.resolve import known_models

    yield CompletionItem(begun, type="file")  # first: a shell that meets it forgets what came before
    for model in known_models():
        if model.name.startswith(begun):
            yield CompletionItem(model.name, help=model.summary)


def listed(part: str) -> Complete:
    """A folder or file, or what is listed of a part by name."""

    @completed
    def complete(_: click.Context, begun: str) -> Found:
        from vedit.models.resolve import known_names

        yield CompletionItem(begun, type="file")
        for entry in known_names():
            if entry.part == part and entry.name.startswith(begun):
                yield CompletionItem(entry.name, help=entry.summary)

    return complete


@completed
def pulled(_: click.Context, begun: str) -> Found:
    """Models, adapters and weights by name."""
    yield from _names(begun)


@completed
def described(_: click.Context, begun: str) -> Found:
    """The same, or a file or folder."""
    yield CompletionItem(begun, type="file")
    yield from _names(begun)


def _names(begun: str) -> Found:
    from vedit.models.resolve import known_names
    from vedit.weights.store import known_weights

    for entry in (*known_names(), *known_weights()):
        if entry.name.startswith(begun):
            yield CompletionItem(entry.name, help=entry.summary)


@completed
def looks(context: click.Context, begun: str) -> Found:
    """The looks that the model was trained on, as a prompt, or as one more behind a comma."""
    from vedit.models.resolve import resolve

    before, comma, last = begun.rpartition(",")
    gap = " " * (len(last) - len(last.lstrip()))
    known = resolve(context.params.get("model") or DEFAULT).vocabulary
    for look in known.looks if known is not None else ():
        if look.name.startswith(last.strip().lower()):
            yield CompletionItem(f"{before}{comma}{gap}{look.name}", help="weak" if look.weak else look.kind)


@completed
def controls(context: click.Context, begun: str) -> Found:
    """The controls that the model has branches for."""
    from vedit.cli.controlnets import controlnets
    from vedit.models.resolve import resolve
    from vedit.options.controls import branch
    from vedit.registry.preprocessors import preprocessors

    own = controlnets(tuple(context.params.get("controlnet_texts") or ()))
    branches = resolve(context.params.get("model") or DEFAULT, dict(own)).control_kinds
    for entry in preprocessors():
        if entry.name.startswith(begun) and branch(entry.name) in branches:
            yield CompletionItem(entry.name, help=entry.summary)
    if "none".startswith(begun):
        yield CompletionItem("none", help="no control")


@completed
def kinds(_: click.Context, begun: str) -> Found:
    """Kinds of control maps, the last of a list with commas."""
    from vedit.registry.preprocessors import preprocessors

    before, comma, last = begun.rpartition(",")
    for entry in preprocessors():
        if entry.name.startswith(last) and entry.name not in before.split(","):
            yield CompletionItem(f"{before}{comma}{entry.name}", help=entry.summary)


class _Bash(BashComplete):
    """Bash takes what it is given as it would be typed: a space in it is one unless it is escaped, or in quotes."""

    def format_completion(self, item: CompletionItem[str]) -> str:
        value = item.value
        if item.type == "plain" and not self._in_quotes():
            # Twice, since the script's `read` takes one away.
            value = "".join(sign if sign.isalnum() or sign in "-_.:=@,/" else f"\\\\{sign}" for sign in value)
        return f"{item.type},{value}"

    def _in_quotes(self) -> bool:
        words = os.environ["COMP_WORDS"].split("\n")
        at = int(os.environ["COMP_CWORD"])
        return at < len(words) and words[at][:1] in ("'", '"')


def register() -> None:
    """Answer Bash as it needs it; called where a shell asks."""
    add_completion_class(_Bash)


@click.command("completion", short_help="Print the script that completes vedit in your shell.")
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(context: click.Context, *, shell: str) -> None:
    """Print the script by which SHELL (bash, zsh or fish) completes vedit's commands, options, looks and models.

    \b
    Examples:
      eval "$(vedit completion bash)"         # in ~/.bashrc; Bash 4.4 or newer
      eval "$(vedit completion zsh)"          # in ~/.zshrc, below compinit
      vedit completion fish > ~/.config/fish/completions/vedit.fish
    """
    register()
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "vedit", VARIABLE).source())
