"""The prompts of a render before its model is loaded: which of their words it knows, and how many it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.models.resolve import known_models
from vedit.models.source import LOOKS
from vedit.options.prompt_weights import says_weights, weighted
from vedit.options.request import RestyleOptions
from vedit.options.travel import stops, texts_of
from vedit.registry.pipelines import OWN

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef
    from vedit.models.words import Vocabulary
    from vedit.options.request import RenderRequest

_SHOWN = 80
"""Letters of a prompt that a message repeats."""
_WORDS_SHOWN = 12
_OF_LOOKS = ("the prompt", "a region's prompt")
"""What says how the picture shall look."""
_USUAL_SOURCE = RestyleOptions().source_prompt

Spoken = tuple[str, str]
"""What a prompt is for, as messages call it, and its text."""


def made_looks(request: RenderRequest) -> tuple[RestyleOptions, ...]:
    """The looks that a request has a model draw: of all shots but the locked ones."""
    if request.looks is None:
        return request.drawn_looks
    looks = dict.fromkeys(look for number, look in request.looks.items() if number not in request.locked)
    return tuple(look for look in looks if not look.only_painted)


def check_words(looks: Iterable[RestyleOptions], model: ModelRef) -> None:
    """Raises InputError for a prompt that cannot be read (`vedit.options.prompt_weights`), or of which the model knows
    no word, with what was perhaps meant."""
    known, looks = model.vocabulary, tuple(looks)
    for what, text in (pair for look in looks for pair in _spoken(look)):
        _check_weights(what, text, model)
    if known is None:
        return
    for look in looks:
        for what, text in () if look.allow_unknown else _spoken(look):
            if not known.knows(text):
                raise InputError(
                    f"the model knows no word of {what} {_short(text)!r}",
                    remedy=f"{_instead(known, what, text)} {_listing(model.name)} lists what it knows; "
                    "--allow-unknown goes on without the words",
                )


def check_timing(look: RestyleOptions) -> None:
    """Raises InputError for a prompt that changes over the clip under a pipeline that does not know of it."""
    if look.pipeline not in OWN and (stops(look.prompt) or stops(look.negative_prompt)):
        raise InputError(
            f"the pipeline {look.pipeline} takes one prompt for all of the clip, which cannot change over it",
            remedy="leave --pipeline out, or say one prompt",
        )


def _check_weights(what: str, text: str, model: ModelRef) -> None:
    """Raises InputError for weights of words that are none, or that the model does not take."""
    if model.vocabulary is None:
        try:
            weighted(text)
        except InputError as error:
            raise InputError(f"{what}: {error.message}", remedy=error.remedy) from None
    elif says_weights(text):
        raise InputError(
            f"{what} {_short(text)!r} weighs words, which {model.name} does not do: it was trained on plain ones",
            remedy="say it in words (subtle night, heavy night), or use a model that takes any text",
        )


def word_notes(looks: Iterable[RestyleOptions], model: ModelRef) -> tuple[str, ...]:
    """What the user should know of the prompts: words that are unknown or cut off, no look, or one drawn badly."""
    known, name, looks = model.vocabulary, model.name, tuple(looks)
    spoken = tuple(dict.fromkeys(pair for look in looks for pair in _spoken(look)))
    notes = [f"{_too_long(what, text, model)}" for what, text in spoken]
    for one in dict.fromkeys(one for look in looks for one in look.embeddings):
        if not any(one.named_in(text) for _, text in spoken):
            notes.append(f"no prompt says {one.word!r}, so the embedding {one.path.name} changes nothing")
    if known is not None:
        notes += [_unknown(known, what, spoken, name) for what in dict.fromkeys(what for what, _ in spoken)]
        texts = [text for what, text in spoken if what in _OF_LOOKS]
        notes += [*(_no_look(known, text, name) for text in texts), _weak(known, texts)]
    return tuple(dict.fromkeys(note for note in notes if note))


def _spoken(look: RestyleOptions) -> Iterator[Spoken]:
    """Every prompt that a look says for itself."""
    yield from (("a region's prompt", region.prompt) for region in look.regions)
    said = {"the prompt": look.prompt, "the negative prompt": look.negative_prompt}
    if look.source_prompt != _USUAL_SOURCE:
        said["the source prompt"] = look.source_prompt
    yield from ((what, text) for what, prompt in said.items() for text in texts_of(prompt) if text.strip())


def _instead(known: Vocabulary, what: str, text: str) -> str:
    """What to write in the place of a prompt that says nothing to the model: a sentence."""
    meant = known.meant(text)
    if meant is not None:
        near = [] if known.named(meant) else [look.name for look in known.nearest_looks(meant)]
        return f"did you mean {meant!r}?" + (f" The nearest looks are {_names(near)}." if near else "")
    examples = [look.name for look in known.examples()]
    if what not in _OF_LOOKS or not examples:
        return "say it in words that the model knows, or leave it out."
    return f"name one of its looks, {_names(examples, 'or')} for instance."


def _unknown(known: Vocabulary, what: str, spoken: Sequence[Spoken], name: str) -> str:
    """A line that names the words of a kind of prompts which the model does not know; empty where there are none."""
    absent = dict.fromkeys(word for kind, text in spoken if kind == what for word in known.unknown(text))
    if not absent:
        return ""
    near = {word: known.near(word) for word in absent}
    told = [word if near[word] is None else f"{word} (did you mean {near[word]!r}?)" for word in absent]
    of_it = "" if what == "the prompt" else f", of {what}"
    left = "it changes nothing" if len(told) == 1 else "they change nothing"
    return f"the model does not know{of_it}: {_some(told)}; {left}; {_listing(name)} lists what it knows"


def _no_look(known: Vocabulary, text: str, name: str) -> str:
    if known.named(text) or known.says_a_look(text) or not known.knows(text):
        return ""
    return f"{_short(text)!r} names no look, so the picture changes little; {_listing(name)} lists the looks"


def _weak(known: Vocabulary, texts: Sequence[str]) -> str:
    """A line that names the looks of the prompts which the model draws badly; empty where there are none."""
    weak = dict.fromkeys(look for text in texts for look in known.named(text) if look.weak)
    told = [f"{look.name} ({look.reason})" if look.reason else look.name for look in weak]
    return f"weak with this model: {_some(told)}" if told else ""


def _too_long(what: str, text: str, model: ModelRef) -> str:
    room, cut = model.prompt_cut(text)
    return f"{what} is too long: the model reads {room} tokens of it, and not: {_some(cut, ' ')}" if cut else ""


def _listing(name: str) -> str:
    """Where a user finds the looks and words of a model that goes by a name."""
    named = name in [info.name for info in known_models()]
    return f"`vedit models info {name}`" if named else f"{LOOKS} in {name}"


def _names(names: Sequence[str], last: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _some(words: Sequence[str], between: str = ", ") -> str:
    """The first of many words."""
    more = len(words) - _WORDS_SHOWN
    return between.join(words[:_WORDS_SHOWN]) + (f" ... ({more} more)" if more > 0 else "")


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}..."
