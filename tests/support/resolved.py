"""Requests with the model that they ask for, resolved as a call resolves it before it hands both on."""

from __future__ import annotations

from typing import Any

from vedit.models.resolve import model_of
from vedit.options.request import RenderRequest
from vedit.render.job import Job
from vedit.render.prompts import check_words, made_looks, word_notes
from vedit.render.provenance import weights_of
from vedit.render.settle import make_job, settle


def made_job(request: RenderRequest, **settings: Any) -> Job:
    """See `vedit.render.settle.make_job`."""
    return make_job(request, model_of(request), **settings)


def settled_request(request: RenderRequest) -> RenderRequest:
    """See `vedit.render.settle.settle`."""
    return settle(request, model_of(request))


def weights_behind(request: RenderRequest) -> dict[str, object]:
    """See `vedit.render.provenance.weights_of`."""
    return weights_of(request.all_looks, model_of(request))


def check_words_of(request: RenderRequest) -> None:
    """See `vedit.render.prompts.check_words`."""
    check_words(made_looks(request), model_of(request))


def word_notes_of(request: RenderRequest) -> tuple[str, ...]:
    """See `vedit.render.prompts.word_notes`."""
    return word_notes(made_looks(request), model_of(request))
