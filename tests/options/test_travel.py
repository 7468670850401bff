"""Prompts that change over the clip: how they are written, and what of them is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vedit.errors import InputError
from vedit.options.masks import parse_region
from vedit.options.request import RestyleOptions
from vedit.options.travel import at_frames, by_frame, check_travel, stops, texts_of, timed

PLAIN = ["", "woodcut", "a | b", "a clock at 12:30", "4: a number", "s: a letter", "[a|b]", "at 4s: no moment"]


def frame_of(text: str) -> int:
    """Of a clip of ten seconds at 24 frames a second."""
    found = int(text[1:]) if text.startswith("#") else 100 if ":" in text else round(float(text) * 24)
    if not 0 <= found < 240:
        raise InputError(f"{text} is outside the clip")
    return found


@pytest.mark.parametrize("prompt", PLAIN)
def test_a_prompt_without_moments_stays_as_it_is(prompt: str) -> None:
    assert stops(prompt) == ()
    assert at_frames(prompt, frame_of) == prompt
    assert texts_of(prompt) == (prompt,)
    assert by_frame(prompt) == ((), (prompt,))


@pytest.mark.parametrize(
    ("prompt", "frames"),
    [
        ("0s: spring | 4s: winter", "#0: spring | #96: winter"),
        ("#0:spring|#96:winter", "#0: spring | #96: winter"),
        (" 1.5 s : (red:1.2), dawn: a lake | 00:00:04:04: night", "#36: (red:1.2), dawn: a lake | #100: night"),
        ("0s: spring", "#0: spring"),
        ("0s: | 1s: fog", "#0:  | #24: fog"),
    ],
)
def test_moments_become_frames(prompt: str, frames: str) -> None:
    assert at_frames(prompt, frame_of) == frames
    assert at_frames(frames, frame_of) == frames
    numbers, texts = by_frame(frames)
    assert texts == texts_of(prompt)
    assert list(numbers) == sorted(numbers)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("spring | 4s: winter", "no moment before 'spring'"),
        ("0s: spring | winter", "no moment before 'winter'"),
        ("4s: spring | 2s: winter", "do not rise: 2s is frame 48, behind 4s, frame 96"),
        ("#5: spring | #5: winter", "do not rise: #5 is frame 5, behind #5, frame 5"),
        ("0s: spring | 99s: winter", "99 is outside the clip"),
    ],
)
def test_what_is_no_way_is_refused_with_the_prompts_name(prompt: str, said: str) -> None:
    with pytest.raises(InputError) as told:
        timed(RestyleOptions(prompt="lake", negative_prompt=prompt), frame_of)
    assert told.value.message.startswith("the negative prompt: ")
    assert said in told.value.message


def test_seconds_are_no_frames_without_the_clip() -> None:
    with pytest.raises(InputError, match="moment '4' of a prompt"):
        by_frame("#0: a | 4s: b")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source_prompt": "0s: a street"}, "the source prompt holds for the whole clip"),
        ({"regions": (parse_region("box:0,0,50%,50%=#0: a"),)}, "a region's prompt cannot change"),
        ({"prompt": "0s: | 2s: fog"}, "says nothing at one of its moments"),
    ],
)
def test_what_no_model_can_is_refused(changes: dict[str, object], said: str) -> None:
    options = replace(RestyleOptions(prompt="lake"), **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        check_travel(options, model="tiny", can=True)


def test_a_model_of_clips_takes_one_prompt() -> None:
    for options in (RestyleOptions(prompt="0s: a | 1s: b"), RestyleOptions(prompt="a", negative_prompt="0s: b | 1s: ")):
        check_travel(options, model="tiny", can=True)
        with pytest.raises(InputError, match="tiny samples the frames of a window as one clip"):
            check_travel(options, model="tiny", can=False)
