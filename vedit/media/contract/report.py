"""The figures of the contract: what was expected of a written file, what was found, and whether that holds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, kw_only=True)
class Check:
    """One figure of the contract."""

    name: str
    expected: str
    found: str
    ok: bool


@dataclass(frozen=True, kw_only=True)
class ContractReport:
    """Every figure that was checked on a written file."""

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    """What was not held against the result, and why: the container cannot keep it, or its user left it out."""

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def breaches(self) -> tuple[Check, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if not check.ok)

    def as_dict(self) -> dict[str, object]:
        """For JSON: {"ok": ..., "checks": [{"name", "expected", "found", "ok"}, ...], "notes": [...]}."""
        checks = [{"name": c.name, "expected": c.expected, "found": c.found, "ok": c.ok} for c in self.checks]
        return {"ok": self.ok, "checks": checks, "notes": list(self.notes)}


def check(name: str, expected: object, found: object, ok: bool | None = None) -> Check:
    """A check; without `ok`, the two have to be equal."""
    return Check(name=name, expected=str(expected), found=str(found), ok=expected == found if ok is None else ok)


def milliseconds(seconds: Fraction) -> str:
    return f"{float(seconds * 1000):.3f} ms"
