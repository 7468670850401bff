"""What a frame takes from the keys beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.support.motion import texture
from vedit.finishing.joining import SIGMA
from vedit.flow.motion import Motion, standing
from vedit.flow.planes import blurred, power
from vedit.keyframes.carrying import Frame, Key, Layers, between, likeness, offered

SIZE = (64, 80)
SOURCE = texture(*SIZE)
FRAME = Frame.of(SOURCE)
NOTHING = np.zeros((*SIZE, 3), np.float32)


def strokes(seed: int) -> np.ndarray:
    """A change of so fine a band that nothing of it is coarse."""
    drawn = texture(*SIZE, seed=seed)
    return ((drawn - blurred(drawn, SIGMA)) * 0.5).astype(np.float32)


def key(change: np.ndarray, **more: np.ndarray) -> Key:
    return Key(source=SOURCE, change=change, loss=NOTHING, **more)


def offer(change: np.ndarray, trust: float = 1.0):
    said = offered(Layers(key(change)), FRAME, standing(SIZE))
    return replace(said, trust=np.full(SIZE, trust, np.float32))


def test_the_same_picture_is_alike_and_its_negative_is_not() -> None:
    assert np.all(likeness(FRAME, SOURCE) == 1)
    assert likeness(FRAME, 1 - SOURCE).mean() < 0.5
    assert likeness(FRAME, np.asarray(SOURCE + 0.5, np.float32)).max() < 0.05


def test_keys_that_agree_say_what_they_say() -> None:
    change = strokes(1) + np.float32(0.1)
    assert np.abs(between(FRAME, offer(change), offer(change), 0.3).change - change).max() < 1e-4


def test_a_colour_passes_over_evenly() -> None:
    first, second = NOTHING + np.float32(0.1), NOTHING - np.float32(0.1)
    for place in (0.25, 0.5, 0.75):
        found = between(FRAME, offer(first), offer(second), place).change
        assert np.allclose(found, 0.1 - 0.2 * place, atol=1e-3)


def test_strokes_come_from_the_nearer_key_and_do_not_grey_out() -> None:
    first, second = strokes(1), strokes(2)
    near = between(FRAME, offer(first), offer(second), 0.2).change
    assert np.corrcoef(near.ravel(), first.ravel())[0, 1] > 0.97
    middle = between(FRAME, offer(first), offer(second), 0.5).change
    assert power(middle).mean() > 0.85 * power(first).mean()


def test_a_key_that_is_not_believed_gives_way() -> None:
    first, second = strokes(1), strokes(2)
    found = between(FRAME, offer(first, trust=0.05), offer(second), 0.2).change
    assert np.corrcoef(found.ravel(), second.ravel())[0, 1] > 0.97


def test_where_no_key_is_believed_a_frame_keeps_its_detail_under_the_colours_around() -> None:
    change = strokes(1) + np.float32(0.2)
    trust = np.ones(SIZE, np.float32)
    trust[20:44, 30:50] = 0
    said = replace(offer(change), trust=trust)
    found = between(FRAME, said, said, 0.5)
    inside = found.change[26:38, 36:44]
    assert np.allclose(inside.mean(), 0.2, atol=0.03)
    assert power(inside - blurred(inside, SIGMA)).mean() < 0.1 * power(strokes(1)).mean()
    assert found.believed[32, 40] < 0.05 < 0.95 < found.believed[5, 5]


def test_without_an_opinion_nothing_changes() -> None:
    opinion = np.zeros(SIZE, np.float32)
    opinion[:, :40] = 1
    said = offered(Layers(key(NOTHING + np.float32(0.3), opinion=opinion)), FRAME, standing(SIZE))
    found = between(FRAME, said, said, 0.5).change
    assert np.allclose(found[:, :38], 0.3, atol=1e-3)
    assert np.allclose(found[:, 44:], 0)


def test_what_is_carried_moves_along() -> None:
    motion = standing(SIZE)
    moved = Motion(to=motion.to + np.array([4, 0], np.float32), seen=motion.seen)
    said = offered(Layers(key(strokes(1))), Frame.of(np.roll(SOURCE, -4, axis=1)), moved)
    assert np.allclose(said.change[:, :70], strokes(1)[:, 4:74], atol=1e-5)
    assert said.trust[:, 8:60].min() > 0.95


def test_what_lies_beside_what_it_replaces_is_no_finer_than_either() -> None:
    # A change that takes the source's detail away and draws it anew, carried a few pixels off.
    drawn = np.roll(strokes(1), 3, axis=1) * np.float32(1.5) - (SOURCE - blurred(SOURCE, SIGMA))
    motion = standing(SIZE)
    off = Motion(to=motion.to + np.array([3, 2], np.float32), seen=motion.seen)
    said = replace(offered(Layers(key(np.asarray(drawn, np.float32))), FRAME, off), trust=np.ones(SIZE, np.float32))
    result = SOURCE + between(FRAME, said, said, 0.5).change
    found, own = (power(one - blurred(one, SIGMA)).mean() for one in (result, SOURCE))
    key_s = power((SOURCE + drawn) - blurred(SOURCE + drawn, SIGMA)).mean()
    assert found < 1.15 * max(own, key_s)


def test_a_painting_hides_the_detail_that_it_covers_and_outlasts_what_slips() -> None:
    drawn = strokes(1) * 2
    slipped = np.asarray(SOURCE + strokes(5) * 4, np.float32)
    everywhere = np.ones(SIZE, np.float32)
    plain = offered(Layers(key(drawn)), Frame.of(slipped), standing(SIZE))
    painted = offered(Layers(key(drawn, lead=everywhere)), Frame.of(slipped), standing(SIZE))
    assert painted.trust.mean() > 0.9 > 1.5 * plain.trust.mean()
    wanted = SOURCE + drawn
    assert np.abs(slipped + painted.change - wanted).mean() < 0.3 * np.abs(slipped + plain.change - wanted).mean()


def test_a_painting_is_not_carried_to_what_looks_otherwise() -> None:
    everywhere = np.ones(SIZE, np.float32)
    said, brighter = Layers(key(strokes(1), lead=everywhere)), Frame.of(np.asarray(SOURCE + 0.5, np.float32))
    found = offered(said, brighter, standing(SIZE))
    assert found.trust.max() < 0.1
    hidden = replace(standing(SIZE), seen=np.zeros(SIZE, np.float32))
    assert not offered(said, FRAME, hidden).trust.any()
