"""What a look brings a model beside its words: files that change networks, and settings of these."""

from __future__ import annotations

from dataclasses import dataclass, fields

from vedit.checks.arguments import checked


@checked
@dataclass(frozen=True, kw_only=True)
class Adapting:
    """What a look adds to the model, for its own shots alone; a family says what of it its models take."""

    @property
    def brought(self) -> tuple[str, ...]:
        """The names of the settings here that say something else than their defaults."""
        return tuple(one.name for one in fields(Adapting) if getattr(self, one.name) != one.default)
