"""Single frames of a clip under edits or looks, before anything is rendered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.options.request import QualityName, RenderRequest, RestyleOptions
from vedit.progress.callbacks import OnProgress
from vedit.session.shots import Preview

if TYPE_CHECKING:
    from vedit.gallery.pictures import LookPictures
    from vedit.media.reading.reader import VideoReader
    from vedit.types import Shot


def stills(
    request: RenderRequest,
    numbers_of: Callable[[Shot], Sequence[int]],
    *,
    reader: VideoReader,
    on_progress: OnProgress,
) -> Iterator[Preview]:
    """Frames of the shots that a request has looks for, before and after, shot by shot; nothing is written.

    Args:
        request: what is asked for; where its result goes counts for nothing.
        numbers_of: which frames of a shot, in ascending order.
        reader: of the source.
        on_progress: told before each shot.

    Raises:
        InputError: the request cannot be carried out.
    """
    from vedit.models.resolve import model_of
    from vedit.progress.course import Course
    from vedit.render.costs import expected_of_stills
    from vedit.render.estimate import outline_of
    from vedit.render.preview import stills_of
    from vedit.render.settle import make_job

    with tempfile.TemporaryDirectory(prefix="vedit-") as folder:
        # A plan needs a file that could be written; none is.
        writing = replace(request.writing, drop_unsupported=True, drop_alpha=True)
        request = replace(request, output=Path(folder) / "still.mkv", writing=writing)
        course = Course(on_progress)
        job = make_job(request, model_of(request), reader=reader)
        known = expected_of_stills(outline_of(job))
        course.expect({name: known[name] for name in ("load", "preview") if name in known})
        for made in stills_of(job, numbers_of=numbers_of, on_progress=course):
            yield Preview(
                shot=made.shot,
                options=made.options,
                numbers=made.numbers,
                pairs=made.pairs,
                bit_depth=reader.metadata.bit_depth,
            )


def looks(
    request: RenderRequest,
    of: Sequence[str],
    moment: str | None,
    quality: QualityName,
    *,
    side: int | None,
    reader: VideoReader,
    on_progress: OnProgress,
) -> LookPictures:
    """One frame under many looks, by their names; see `vedit.Video.looks`.

    Args:
        request: the source and the model.
        of: names of looks, or prompts; nothing is every look that the model lists.
        moment: of the frame; None is the middle of the clip.
        quality: of the pictures.
        side: pixels of their longer side; None is the clip's size.
        reader: of the source.
        on_progress: told of looks that are sampled, then finished.

    Raises:
        InputError: a look is not known, or it cannot be rendered.
    """
    from vedit.gallery.pictures import LookPictures, make_gallery
    from vedit.models.looks import choose_looks
    from vedit.models.resolve import resolve

    chosen = choose_looks(resolve(request.model), of)
    options = [RestyleOptions(prompt=look.prompt, quality=quality) for look in chosen]
    made = make_gallery(request, options, moment, side=side, reader=reader, on_progress=on_progress)
    pictures = {look.name: picture for look, picture in zip(chosen, made.pictures, strict=True)}
    return LookPictures(pictures, bit_depth=made.bit_depth)
