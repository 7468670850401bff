"""The arguments of a call from Python, checked against its own signature before it begins.

The signature says once what a function or a dataclass takes: here its annotations are read, so that a wrong name, a
missing argument and a value of another type are errors of `vedit.errors` that name what was given, what is allowed and
the nearest name. Values that are as good as what is declared become it: a list a tuple, a text a path, NumPy's numbers
plain ones.
"""

from __future__ import annotations

import errno
import inspect
import math
import numbers
import operator
import os
import sys
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from functools import cache, wraps
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from vedit.checks.bounds import Bound, bounded
from vedit.checks.nearest import VERY_ALIKE, did_you_mean, suggest
from vedit.checks.rationals import LARGEST, shown
from vedit.checks.setting import Setting, bounds_of, plugged_of
from vedit.errors import ArgumentError, SettingError

Called = TypeVar("Called", bound=Callable[..., object])

_NO = object()
"""What a value that is not allowed becomes."""


def checked(called: Called, *, known_as: str | None = None, bounds: Mapping[str, Bound] | None = None) -> Called:
    """The same function or dataclass, its arguments checked as it is called; `inspect.signature` and `help` as before.

    The call raises ArgumentError for a name that it does not take and for one that is missing, and SettingError for a
    value of another type or out of its bounds. Annotations that only type checkers see are not checked.

    Args:
        called: a function, or a class with a maker of its own.
        known_as: its name in messages; None is its own.
        bounds: of its numbers, by name; None are those of a dataclass's settings.
    """
    if not isinstance(called, type):
        return cast("Called", _checking(called, known_as or cast("Any", called).__qualname__, bounds or {}))
    maker = cast("Any", called)
    # A maker that a dataclass has written takes what its fields hold, whichever module declares them.
    hinted = maker if "__dataclass_params__" in vars(maker) else maker.__init__
    has_settings = bounds is None and hasattr(called, "__dataclass_fields__")
    own, plugged = (bounds_of(called), plugged_of(called)) if has_settings else (bounds, {})
    maker.__init__ = _checking(maker.__init__, known_as or maker.__qualname__, own or {}, hinted, plugged)
    return cast("Called", called)


def unknown_argument(called: str, name: str, known: Collection[str]) -> ArgumentError:
    """The error for an argument that there is not, with the nearest that there is."""
    remedy = did_you_mean(name, known) or f"it takes {_listed(known) or 'none'}"
    return ArgumentError(f"{called} has no argument {name!r}", remedy=remedy)


def fitted(name: str, value: object, hint: object, bound: Bound | None = None) -> Any:
    """A value as an annotation has it.

    Args:
        name: of the argument.
        value: what was given.
        hint: the annotation, evaluated.
        bound: within which a number lies.

    Raises:
        SettingError: it is nothing of the kind.
    """
    options = cast("set[Any]", set(_options(hint)))
    if bound is not None and not (value is None and NoneType in options):
        return bounded(name, value, bound)
    found = _taken(value, hint)
    if isinstance(found, str | Path) and Path in options:
        _check_path(name, found)
    if found is _NO:
        raise SettingError(f"{name} is {shown(value)}", remedy=_remedy(hint, value))
    return found


def _checking(
    function: Callable[..., object],
    called: str,
    bounds: Mapping[str, Bound],
    hinted: Callable[..., object] | None = None,
    plugged: Mapping[str, Setting] | None = None,
) -> Callable[..., object]:
    """The function, checked; `hinted` has its annotations where it has none that can be evaluated itself, `plugged`
    those of its arguments that take a name which a plug-in may bring."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> object:
        given = _bound(function, called, args, kwargs)
        hints = _hints(hinted or function)
        for name, value in given.arguments.items():
            # Most values are plainly what they should be; frame ranges are made by the thousand.
            plainly = name in hints and type(value) is hints[name] and type(value) not in (str, float)
            if name in hints and (name in bounds or not plainly):
                given.arguments[name] = fitted(name, value, hints[name], bounds.get(name))
            if plugged and name in plugged:
                _check_listed(plugged[name], given.arguments[name])
        return function(*given.args, **given.kwargs)

    return call


def _check_listed(setting: Setting, value: str) -> None:
    """Raises SettingError for a name that neither vedit nor a plug-in has."""
    # Most are the default, for which no plug-in needs to be looked for.
    if value == setting.default or setting.about.plugged is None:
        return
    known = setting.about.plugged()
    if value not in known.names:
        remedy = suggest(value, known.names, before="use one of ")
        raise SettingError(f"{setting.name} is {shown(value)}", remedy=remedy)


def _bound(
    function: Callable[..., object], called: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    signature = _signature(function)
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        takes = {name: one for name, one in signature.parameters.items() if name != "self"}
        for name in kwargs:
            if name not in takes:
                raise unknown_argument(called, name, takes) from None
        named = [name for name, one in takes.items() if one.kind is inspect.Parameter.KEYWORD_ONLY]
        extra = "positional" in str(error) and named
        remedy = f"write NAME=VALUE, for {_listed(named)}" if extra else f"it takes {_listed(takes) or 'none'}"
        raise ArgumentError(f"{called}: {error}", remedy=remedy) from None


@cache
def _signature(function: Callable[..., object]) -> inspect.Signature:
    return inspect.signature(function)


@cache
def _hints(function: Callable[..., object]) -> dict[str, Any]:
    """The annotations of a function's arguments, evaluated."""
    if isinstance(function, type):
        return _field_hints(function)
    names = _Names(cast("Any", function).__globals__)
    found = typing.get_type_hints(function, localns=cast("Any", names))
    return {name: hint for name, hint in found.items() if name != "return"}


def _field_hints(options: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields, each evaluated in the module that declares it."""
    found: dict[str, Any] = {}
    for owner in reversed(options.__mro__):
        said = SimpleNamespace(__annotations__=vars(owner).get("__annotations__", {}))
        names = vars(sys.modules[owner.__module__])
        found |= typing.get_type_hints(said, globalns=names, localns=cast("Any", _Names(names)))
    return found


class _Names(dict[str, object]):
    """The names of a module; one that only type checkers see is any object."""

    def __missing__(self, name: str) -> object:
        builtins = cast("Any", self["__builtins__"])
        known: dict[str, object] = builtins if isinstance(builtins, dict) else vars(builtins)
        return known.get(name, object)


@cache
def _options(hint: object) -> tuple[object, ...]:
    """What a union allows, one by one."""
    if get_origin(hint) in (Union, UnionType):
        return tuple(option for part in get_args(hint) for option in _options(part))
    return (hint,)


def _taken(value: object, hint: object) -> object:
    """The value as the annotation has it, or `_NO`."""
    options = _options(hint)
    if len(options) > 1:
        found = [taken for taken in (_taken(value, option) for option in options) if taken is not _NO]
        return next((taken for taken in found if taken is value), found[0] if found else _NO)
    origin = get_origin(hint)
    if origin is Literal:
        return next((one for one in get_args(hint) if _of_kind(value, type(one)) and one == value), _NO)
    if origin is Callable or hint is Callable:
        return value if callable(value) else _NO
    if isinstance(origin, type):
        return _collected(value, origin, get_args(hint))
    if hint is None or hint is NoneType:
        return None if value is None else _NO
    return _plain(value, hint) if isinstance(hint, type) else value


def _check_path(name: str, path: Path | str) -> None:
    """Raises SettingError for a path that this system has not and cannot have."""
    try:
        os.lstat(path)
    except (ValueError, OSError) as error:  # an error of encoding is a ValueError
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            remedy = "give a path that this system can have: of fewer bytes, or of other characters"
            raise SettingError(f"{name} is {shown(str(path))}", remedy=remedy) from None


def _plain(value: object, kind: type) -> object:
    if kind in _NUMBERS:
        return _NUMBERS[kind](value)
    if kind is Path:
        path = os.fspath(value) if isinstance(value, str | os.PathLike) else None  # pyright: ignore[reportUnknownVariableType]
        return (value if isinstance(value, Path) else Path(path)) if isinstance(path, str) else _NO
    if kind is str and isinstance(value, str):
        return value if _can_be_written(value) else _NO
    if getattr(kind, "_is_protocol", False):
        return value if all(hasattr(value, name) for name in _parts(kind)) else _NO
    return value if isinstance(value, kind) else _NO


def _of_kind(value: object, kind: type) -> bool:
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _can_be_written(text: str) -> bool:
    """Whether a text has only characters that files hold, into which it goes when the work is done."""
    # Names of files that are not UTF-8 come with the surrogates of PEP 383.
    return "\0" not in text and not any("\ud800" <= one < "\udc80" or "\udcff" < one <= "\udfff" for one in text)


@cache
def _parts(protocol: type) -> tuple[str, ...]:
    """What a class has to offer to be of a protocol."""
    return tuple(name for name, part in vars(protocol).items() if not name.startswith("_") and part is not None)


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return _NO
    number = operator.index(value)
    # Python writes no integer of more than 4300 digits, not even into a message.
    return number if abs(number) <= LARGEST else _NO


def _real(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return _NO
    number = cast("object", value)
    try:
        return (number if isinstance(number, int) else float(value)) if math.isfinite(value) else _NO
    except OverflowError:
        return _NO


def _rational(value: object) -> object:
    return _NO if isinstance(value, bool) or not isinstance(value, numbers.Rational) else Fraction(value)


_NUMBERS: dict[type, Callable[[object], object]] = {int: _whole, float: _real, Fraction: _rational}


def _collected(value: object, kind: type, inner: Sequence[object]) -> object:
    """A value of a generic kind, what it holds checked too."""
    if issubclass(kind, Mapping):
        if not isinstance(value, Mapping):
            return _NO
        pairs = cast("Mapping[object, object]", value).items()
        taken = [(_taken(key, inner[0]), _taken(one, inner[1])) for key, one in pairs]
        return _NO if any(one is _NO for pair in taken for one in pair) else _same(value, dict(taken), pairs, taken)
    if not issubclass(kind, tuple | Sequence | AbstractSet):
        return value if isinstance(value, kind) else _NO
    alike = AbstractSet if issubclass(kind, AbstractSet) else Sequence
    if isinstance(value, str | bytes) or not isinstance(value, alike):
        return _NO
    items = list(cast("Collection[object]", value))
    fixed = issubclass(kind, tuple) and (len(inner) < 2 or inner[1] is not ...)
    if fixed and len(items) != len(inner):
        return _NO
    parts = [_taken(item, inner[n] if fixed else inner[0]) for n, item in enumerate(items)]
    if any(part is _NO for part in parts):
        return _NO
    made = frozenset(parts) if alike is AbstractSet else tuple(parts)
    return value if isinstance(value, kind) and all(map(operator.is_, items, parts)) else made


def _same(value: object, made: object, old: Collection[Any], new: Collection[Any]) -> object:
    """The value itself where nothing in it changed."""
    kept = all(a[0] is b[0] and a[1] is b[1] for a, b in zip(old, new, strict=True))
    return value if kept else made


_WORDS: dict[object, str] = {
    str: "a text",
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    Path: "a path",
    Fraction: "a Fraction, for instance Fraction(24000, 1001)",
    None: "None",
    NoneType: "None",
}


def _remedy(hint: object, value: object) -> str:
    said = [option for option in _options(hint) if option not in (None, NoneType)]
    words = [str(word) for option in said if get_origin(option) is Literal for word in get_args(option)]
    if words and all(get_origin(option) is Literal for option in said):
        return suggest(value if isinstance(value, str) else "", words, before="use one of ", cutoff=VERY_ALIKE)
    return f"give {_described(hint)}"


def _described(hint: object) -> str:
    """An annotation in words."""
    options = _options(hint)
    if len(options) > 1:
        return " or ".join(dict.fromkeys(map(_described, options)))
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is Callable or hint is Callable:
        return "a function"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a mapping of {_described(inner[0])} to {_described(inner[1])}"
    if isinstance(origin, type) and issubclass(origin, tuple | Sequence | AbstractSet):
        fixed = issubclass(origin, tuple) and inner[-1] is not ...
        held = f"({', '.join(map(_described, inner))})" if fixed else f"of {_described(inner[0])}"
        return f"a list {held}"
    name = getattr(hint, "__name__", str(hint))
    return _WORDS.get(hint) or f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _listed(names: Collection[str]) -> str:
    """Some names for a line, the first of many."""
    first = list(names)[:6]
    return ", ".join(first) + (" ..." if len(names) > len(first) else "")
