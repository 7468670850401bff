"""What a model that lists its looks and words makes of a prompt: what it hears, what it does not, what was meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from vedit.checks.nearest import nearest
from vedit.models.configs import damaged, read_json, texts_of
from vedit.models.source import LOOKS
from vedit.models.spellings import bare, meanings

_CONJUNCTIONS = frozenset(("and", "or"))
_PREPOSITIONS = frozenset(("at", "by", "for", "from", "in", "of", "on", "to", "under", "with"))
_SMALL = frozenset(("a", "an", "the", *_CONJUNCTIONS, *_PREPOSITIONS))
"""Words that lead to another one and say nothing without."""
FILLERS = _SMALL | {"after", "all", "among", "before", "e", "made", "only", "out", "s", "style", "very"}
"""Words that name no look by themselves, whatever a model learnt them for."""
_ALIKE = 0.75
"""How like a known word an unknown one is, of 1, to be taken for it: short words are easily alike."""
_DIFFERENTLY_BEGUN = 0.85
"""The same where the first letter differs, which people seldom get wrong."""
_SHORTEST = 3
"""Letters of a word that may be a misspelling: below, everything is like something."""
_LOOKS_SHOWN = 3
_MODIFIERS = ("strength", "palette", "plain")
"""Kinds of words that go with a look and are none."""
# A word, or words that a hyphen, an apostrophe or a decimal point joins: as one reads it in a message.
_SPOKEN = re.compile(r"[^\W_]+(?:[-'.][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"
_POSSESSIVE = re.compile(r"'s\b")
_BREAK = re.compile(r"[^\w\s'-]+|(?<![^\W_])-+|-+(?![^\W_])")
"""What parts phrases: every sign that joins no words."""
_SIGN = re.compile(r"[^\w\s,-]|_|(?<![^\W_])-|-(?![^\W_])")
"""A sign that no prompt of the training had."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look that a model was trained on, or an addition to one (a strength, a palette)."""

    name: str
    kind: str = ""
    wordings: tuple[str, ...] = ()
    """Prompts that mean it."""
    weak: bool = False
    """It stays far from what its name promises."""
    reason: str = ""
    """What it looks like instead, where it is weak."""

    @property
    def spoken(self) -> tuple[str, ...]:
        """All ways to say it, the name first."""
        return tuple(dict.fromkeys((self.name, *self.wordings)))


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The looks and words that a model lists."""

    words: frozenset[str]
    """Lower case: those that it was trained on, and the numbers in its wordings."""
    looks: tuple[Look, ...] = ()

    def knows(self, text: str) -> bool:
        """Whether any word of the text says something to the model; articles and their like do not."""
        return any(part in self.words and part not in FILLERS for part in _parts(text))

    def unknown(self, text: str) -> tuple[str, ...]:
        """Words of the text that the model does not know, as `unknown_words`."""
        return unknown_words(text, self.words)

    def named(self, text: str) -> tuple[Look, ...]:
        """The looks that a text names by their names or wordings, in its order; of two at one place the longer."""
        said, found, at = tuple(_parts(text)), dict[str, Look](), 0
        while at < len(said):
            here = [(way, look) for way, look in self._ways if way and said[at : at + len(way)] == way]
            if here:
                way, look = max(here, key=lambda pair: len(pair[0]))
                found.setdefault(look.name, look)
                at += len(way)
            else:
                at += 1
        return tuple(found.values())

    @cached_property
    def _ways(self) -> list[tuple[tuple[str, ...], Look]]:
        return [(tuple(_parts(_told(way))), look) for look in self.looks for way in look.spoken]

    def named_alone(self, text: str) -> Look | None:
        """The look that a text names and no other; None where it names none or several."""
        named = [look for look in self.named(text) if look.kind not in _MODIFIERS]
        return named[0] if len(named) == 1 else None

    def says_a_look(self, text: str) -> bool:
        """Whether a word of the text is one of a look, and not only of a subject or of praise."""
        of_looks = {part for look in self.looks if look.kind != "plain" for way in look.spoken for part in _parts(way)}
        return any(part in of_looks and part not in FILLERS for part in _parts(text))

    def meant(self, text: str) -> str | None:
        """A prompt of known words that was perhaps meant by one of unknown words; None where nothing is near."""
        whole = " ".join(_parts(bare(text)))
        # Of the table what this model has, and what it does not know already as it stands.
        by_spelling = {
            spelling: told for spelling, told in meanings().items() if self.unknown(spelling) and not self.unknown(told)
        }
        if whole in by_spelling:
            return by_spelling[whole]
        # Of two words written as one, or one as two.
        names = {" ".join(_parts(bare(way))): way for look in self.looks for way in look.spoken}
        close = nearest(whole, (name for name in names if " " in name or " " in whole), cutoff=0.88)
        if close is not None:
            return names[close]
        found = list(dict.fromkeys(self._meant_words(whole.split(), by_spelling)))
        # "painting" beside "impressionist painting" says nothing more.
        apart = [text for text in found if not any(f" {text} " in f" {other} " for other in found if other != text)]
        return " ".join(apart) or None

    def near(self, word: str) -> str | None:
        """What is nearest to one unknown word: another spelling's meaning, or a known word; None: nothing is."""
        if len(word) < _SHORTEST:
            return None
        return self.meant(word)

    def nearest_looks(self, text: str) -> tuple[Look, ...]:
        """The looks that a prompt of known words names, or else those whose names, then wordings, hold its words."""
        named = self.named(text)
        if named:
            return named
        said = {part for part in _parts(text) if part not in FILLERS}
        of_names = [look for look in self.looks if said & set(_parts(look.name))]
        of_wordings = [look for look in self.looks if said & {part for way in look.wordings for part in _parts(way)}]
        return tuple(dict.fromkeys([*of_names, *of_wordings]))[:_LOOKS_SHOWN]

    def examples(self) -> tuple[Look, ...]:
        """A look of each kind that is well drawn, for messages."""
        first: dict[str, Look] = {}
        for look in self.looks:
            if look.kind not in ("plain", "strength", "palette") and not look.weak:
                first.setdefault(look.kind, look)
        return tuple(first.values())

    def _meant_words(self, said: list[str], by_spelling: dict[str, str]) -> Iterator[str]:
        telling = sorted(word for word in self.words if word not in FILLERS and len(word) >= _SHORTEST)
        single = [spelling for spelling in by_spelling if " " not in spelling and len(spelling) >= _SHORTEST]
        longest = max((len(spelling.split()) for spelling in by_spelling), default=1)
        at = 0
        while at < len(said):
            spans = range(min(longest, len(said) - at), 0, -1)
            taken = next((n for n in spans if " ".join(said[at : at + n]) in by_spelling), 0)
            word = said[at]
            if taken:
                yield by_spelling[" ".join(said[at : at + taken])]
            elif word in self.words and word not in FILLERS:
                yield word
            elif len(word) >= _SHORTEST and word not in FILLERS:
                alike = [
                    known for known in (*telling, *single) if abs(len(known) - len(word)) <= max(1, len(word) // 4)
                ]
                close = nearest(word, (known for known in alike if known[0] == word[0]), cutoff=_ALIKE)
                close = close or nearest(word, alike, cutoff=_DIFFERENTLY_BEGUN)
                if close is not None:
                    yield by_spelling.get(close, close)
            at += max(taken, 1)


def looks_of(model: Path | None) -> Path | None:
    """The looks.json of a model; None where it has none, or the model is a file or not on this machine."""
    looks = None if model is None else model / LOOKS
    return looks if looks is not None and looks.is_file() else None


def vocabulary_of(model: Path | None) -> Vocabulary | None:
    """The vocabulary of a model; None where it takes any text. Raises ModelError as `read_vocabulary`."""
    looks = looks_of(model)
    return None if looks is None else read_vocabulary(looks)


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in a model's looks.json; a file that lists words alone has no looks.

    It is remembered for as long as the file's size and its time of change are the same: every look of a plan asks.

    Raises:
        ModelError: it is damaged.
    """
    state = path.stat() if path.is_file() else None
    return _vocabulary(path, (state.st_size, state.st_mtime_ns) if state is not None else None)


@lru_cache(maxsize=8)
def _vocabulary(path: Path, state: tuple[int, int] | None) -> Vocabulary:
    del state
    words, listed = texts_of(path, "words"), read_json(path).get("looks", [])
    if not isinstance(listed, list):
        raise damaged(path, "has no list 'looks'")
    looks = tuple(_look(path, entry) for entry in cast("list[object]", listed))
    # Digits are no words of the training, which spelt them one by one, but wordings hold some.
    numbers = (part for look in looks for way in look.wordings for part in _parts(way) if not part.isalpha())
    return Vocabulary(words=frozenset((*(word.lower() for word in words), *numbers)), looks=looks)


def unknown_words(text: str, known: Collection[str] | None) -> tuple[str, ...]:
    """Words of the text that are not among the known ones, lower case, in order, each once; None: all are known."""
    if known is None:
        return ()
    told: dict[str, None] = {}
    for match in _SPOKEN.finditer(_told(text)):
        parts = _PART.findall(match[0])
        absent = [part for part in parts if part not in known and part not in FILLERS]
        told.update(dict.fromkeys([match[0]] if len(absent) == len(parts) else absent))
    return tuple(told)


def heard(text: str, known: Collection[str] | None) -> str:
    """What a model makes of a text: the words that it knows, without the others and without signs that it never met.

    A text with nothing to leave out stays as it is, and so does any where None is given. Any other is put together
    anew: known words in their order, phrases parted by commas, and neither small words that led to what is gone nor
    phrases of nothing else. So an unknown word changes nothing, where the letters that a tokenizer spells it in do.
    """
    if known is None:
        return text
    told = _told(text)
    phrases = [_phrase(phrase.replace("_", " "), known) for phrase in _BREAK.split(told)]
    words = [part for phrase in phrases for word in phrase for part in _PART.findall(word)]
    if words == _PART.findall(text.lower()) and not _SIGN.search(told):
        return text
    return ", ".join(" ".join(phrase) for phrase in phrases if phrase)


def _phrase(text: str, known: Collection[str]) -> list[str]:
    """The words of one phrase that are heard; none where only small ones are left."""
    words: list[str] = []
    for match in _SPOKEN.finditer(text):
        parts = _PART.findall(match[0])
        kept = [part for part in parts if part in known]
        # Hyphens belong to words that were learnt with them; what is left of others is words by themselves.
        words += [match[0]] if kept == parts and "-".join(parts) == match[0] else kept
    joined: list[str] = []
    for word in reversed(words):
        follows = joined[-1] if joined else ""
        leads_on = follows and follows not in (_PREPOSITIONS if word in _PREPOSITIONS else _SMALL)
        if word not in _SMALL or leads_on:
            joined.append(word)
    while joined and joined[-1] in _CONJUNCTIONS:
        joined.pop()
    telling = any(part not in FILLERS for word in joined for part in _PART.findall(word))
    return joined[::-1] if telling else []


def _told(text: str) -> str:
    """A text as words are looked up in it: lower case, accents with their letters, without the s of a possessor."""
    return _POSSESSIVE.sub("", unicodedata.normalize("NFC", text).lower().replace(_CURLY, "'"))


def _parts(text: str) -> list[str]:
    return _PART.findall(_told(text))


def _look(path: Path, entry: object) -> Look:
    """One entry of the list of looks. Raises ModelError where it is none."""
    if not isinstance(entry, dict):
        raise damaged(path, "has an entry among its looks that is no table")
    said = cast("dict[str, Any]", entry)
    texts = [said.get("name"), said.get("kind", ""), said.get("reason", ""), *_listed(said.get("wordings", []))]
    if not all(isinstance(text, str) for text in texts) or type(said.get("weak", False)) is not bool:
        raise damaged(
            path, f"has a look {str(said.get('name'))[:40]!r} whose name, wordings or marks are of another kind"
        )
    name, kind, reason, *wordings = cast("list[str]", texts)
    return Look(name=name, kind=kind, wordings=tuple(wordings), weak=said.get("weak", False), reason=reason)


def _listed(value: object) -> list[object]:
    # A thing that is no list is no text either, and so is found to be of another kind.
    return cast("list[object]", value) if isinstance(value, list) else [None]
