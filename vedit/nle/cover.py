"""Whether new media may take the place of a clip's."""

from __future__ import annotations

from fractions import Fraction

from vedit.errors import InputError
from vedit.nle.model import NewMedia, TimelineClip


def check_cover(clip: TimelineClip, media: NewMedia) -> Fraction:
    """Hold new media against the clip that it is for.

    Returns:
        Seconds from the first frame of the clip's media to the first of the new one.

    Raises:
        InputError: the clip cannot be edited, the new media does not cover what it shows, or lacks its sound.
    """
    if clip.refusal:
        raise InputError(f"clip {clip.number} ({clip.name}) cannot be restyled: {clip.refusal}")
    if clip.source is None or clip.media is None:
        raise InputError(f"clip {clip.number} ({clip.name}) names no media")
    begin, end = clip.source.start - clip.head, clip.source.stop + clip.tail
    # A used range may lie between two frames; what counts is that the frames shown are there.
    slack = 1 / media.rate
    known_end = media_end(clip)
    if known_end is not None:
        end = min(end, known_end)
    if (
        media.start >= max(begin, clip.media.start or Fraction(0)) + slack
        or media.start + media.duration <= end - slack
    ):
        raise InputError(
            f"{media.path.name} does not cover clip {clip.number} ({clip.name})",
            remedy=f"it must run from {float(begin):.3f} to {float(end):.3f} s of the media's own time",
        )
    if clip.with_sound and not media.has_sound:
        raise InputError(
            f"{media.path.name} holds no sound, which clip {clip.number} ({clip.name}) takes from the same reference"
        )
    return media.start - (clip.media.start or Fraction(0))


def media_end(clip: TimelineClip) -> Fraction | None:
    """Where a clip's media ends on its own clock; None where the file does not tell."""
    media = clip.media
    if media is None or media.start is None or not media.duration:
        return None
    return media.start + media.duration
