"""The values of `--controlnet`."""

from __future__ import annotations

import click


def controlnets(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The values of `--controlnet`, KIND=MODEL each, as pairs."""
    pairs: dict[str, str] = {}
    for text in texts:
        kind, equals, model = (part.strip() for part in text.partition("="))
        if not (kind and equals and model):
            raise click.BadParameter(
                f"{text!r} is not KIND=MODEL, for instance depth=path/to/folder", param_hint="'--controlnet'"
            )
        if kind in pairs:
            raise click.BadParameter(f"{kind!r} is given twice", param_hint="'--controlnet'")
        pairs[kind] = model
    return tuple(pairs.items())
