"""Keys that agree with one another, and painted ones that lead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.support.motion import texture
from vedit.finishing.joining import SIGMA
from vedit.flow.motion import standing
from vedit.flow.planes import blurred, power
from vedit.keyframes.carrying import Key
from vedit.keyframes.settling import LEADS, Apart, settle
from vedit.keyframes.stored import StoredKeys

SIZE = (64, 80)
SOURCE = texture(*SIZE)
NOTHING = np.zeros((*SIZE, 3), np.float32)
STILL = Apart(back=lambda: standing(SIZE), ahead=lambda: standing(SIZE), frames=8)


def strokes(seed: int) -> np.ndarray:
    drawn = texture(*SIZE, seed=seed)
    return ((drawn - blurred(drawn, SIGMA)) * 0.5).astype(np.float32)


def drawn(seed: int) -> Key:
    return Key(source=SOURCE, change=strokes(seed), loss=NOTHING)


def painted(colour: float, left: int = 80) -> Key:
    where = np.zeros(SIZE, np.float32)
    where[:, :left] = 1
    change = np.asarray(NOTHING + colour * where[..., None], np.float32)
    return Key(source=SOURCE, change=change, loss=NOTHING, opinion=where, painted=where)


def silent() -> Key:
    return Key(source=SOURCE, change=NOTHING, loss=NOTHING, opinion=np.zeros(SIZE, np.float32))


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_strokes_travel_from_key_to_key() -> None:
    keys = [drawn(seed) for seed in range(1, 9)]
    settle(keys, lambda _: STILL)
    each = [alike(keys[place].change, keys[place + 1].change) for place in range(7)]
    assert min(each) > 0.9
    assert alike(strokes(1), strokes(2)) < 0.3


def test_settled_strokes_are_as_strong_as_drawn_ones() -> None:
    keys = [drawn(seed) for seed in range(1, 9)]
    settle(keys, lambda _: STILL)
    result = SOURCE + keys[-1].change
    was = SOURCE + strokes(8)
    assert power(result - blurred(result, SIGMA)).mean() > 0.9 * power(was - blurred(was, SIGMA)).mean()


def test_the_first_key_is_settled_by_those_behind_it() -> None:
    keys = [drawn(seed) for seed in range(1, 9)]
    settle(keys, lambda _: STILL)
    assert alike(keys[0].change, keys[1].change) > 0.9


def test_what_the_source_shows_anew_is_drawn_anew() -> None:
    keys = [drawn(1), drawn(2)]
    other = SOURCE.copy()
    other[20:40, 30:50] = 1 - other[20:40, 30:50] * 0.2
    keys[1] = replace(keys[1], source=other)
    settle(keys, lambda _: STILL)
    # The first is settled by the second: what both take from each other stops at what came into sight.
    assert alike(keys[1].change[26:34, 36:44], strokes(2)[26:34, 36:44]) > 0.95


def test_a_painted_key_stays_and_leads() -> None:
    keys = [drawn(seed) for seed in range(1, 10)]
    keys[4] = replace(painted(0.3), opinion=None)
    settle(keys, lambda _: STILL)
    assert np.allclose(keys[4].change, 0.3, atol=1e-3)
    for place in range(4 - LEADS // 8, 5 + LEADS // 8):
        assert np.allclose(keys[place].change.mean(), 0.3, atol=0.01)
        assert np.abs(keys[place].change - 0.3).max() < 0.05


def test_beyond_its_reach_the_model_s_own_come_back() -> None:
    keys = [drawn(seed) for seed in range(1, 14)]
    keys[0] = replace(painted(0.3), opinion=None)
    settle(keys, lambda _: STILL)
    assert abs(keys[-1].change.mean()) < 0.03
    assert alike(keys[-1].change, strokes(13)) > 0.1


def test_a_painting_says_nothing_where_it_is_transparent() -> None:
    keys = [replace(painted(0.3, left=40), opinion=None), *[drawn(seed) for seed in range(2, 5)]]
    settle(keys, lambda _: STILL)
    assert np.allclose(keys[2].change[:, :34].mean(), 0.3, atol=0.01)
    assert abs(keys[2].change[:, 46:].mean()) < 0.02


def test_without_a_model_painted_keys_are_carried_through_the_shot() -> None:
    keys = [silent(), silent(), painted(0.4, left=40), silent(), silent(), silent(), silent(), silent(), silent()]
    settle(keys, lambda _: STILL)
    for key in keys:
        assert key.opinion is not None
        assert key.opinion[:, :38].min() > 0.9
        assert key.opinion[:, 44:].max() < 0.01
        assert np.allclose(key.change[:, :36], 0.4, atol=0.01)


def test_between_two_paintings_each_leads_what_is_nearer() -> None:
    keys = [painted(0.4), silent(), silent(), silent(), painted(-0.4)]
    settle(keys, lambda _: STILL)
    found = [float(key.change.mean()) for key in keys]
    assert np.allclose(found, [0.4, 0.2, 0, -0.2, -0.4], atol=0.02)


def test_stored_keys_come_back() -> None:
    with StoredKeys(SIZE) as keys:
        for key in (drawn(1), painted(0.25, left=10), silent()):
            keys.append(key)
        keys[1] = replace(painted(0.5), opinion=None)
        assert len(keys) == 3
        assert np.allclose(keys[0].change, strokes(1), atol=1e-3)
        assert keys[0].opinion is None and keys[0].painted is None
        assert keys[1].opinion is None and keys[1].painted is not None
        assert np.allclose(keys[1].change, 0.5, atol=1e-3)
        assert keys[2].opinion is not None and not keys[2].opinion.any()
