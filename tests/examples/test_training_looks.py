"""The training looks as pixels and as words: what each must do, what none may do, and that they are told apart."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_embedded"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from trainer.equivariance import FIXED_TO_FRAME, IN_THE_AIR, departure  # noqa: E402
from trainer.looks import LOOKS, PALETTES, PLAIN, STRENGTHS, Look, look_named  # noqa: E402
from trainer.prompts import Outfit, draw_outfit, known_words, word  # noqa: E402
from trainer.styles import STYLES, cues, dress, palette  # noqa: E402  # noqa: E402
from trainer.styles.base import blur, luma, noise  # noqa: E402

Picture = np.ndarray[Any, np.dtype[np.float32]]

SKY, LEAVES, FACE = np.s_[2:24, 8:120], np.s_[46:90, 6:54], np.s_[60:88, 78:106]
STYLED = [look for look in LOOKS if look.kind != "plain"]
DRAWN = {"impressionism", "pointillism", "embroidery", "low poly", "stained glass"}
"""Made of separate strokes, which jump as a whole where one of them appears."""


@cache
def scene() -> Picture:
    """A blue sky, leaves with shadows between them, a face, a lamp, a gray wall with lines; (96, 128, 3) in [0, 1]."""
    rng = np.random.default_rng(5)
    ys, xs = np.mgrid[0:96, 0:128].astype(np.float32)
    picture = np.empty((96, 128, 3), np.float32)
    picture[:] = np.array([0.42, 0.62, 0.90]) + 0.002 * (32 - ys[..., None])
    picture[32:] = 0.52 + 0.12 * (np.sin(xs[32:, :, None] / 3) > 0.6) + 0.05 * np.sin(ys[32:, :, None] / 5)
    leaf = noise((96, 128), rng, 1.5)[..., None]
    green = np.array([0.22, 0.46, 0.12], np.float32) * (1 + 0.55 * np.clip(leaf, -1.5, 1.5))
    picture[44:92, 4:56] = green[44:92, 4:56]
    away = np.hypot((xs - 92) / 20, (ys - 72) / 22)[..., None]
    face = np.array([0.82, 0.60, 0.48], np.float32) * (1.05 - 0.25 * away)
    picture = np.where(away < 1, face, picture)
    for x in (85, 99):
        picture[66:69, x - 3 : x + 3] = 0.12
    picture[82:84, 86:99] = np.array([0.6, 0.2, 0.2])
    picture[36:40, 64:68] = np.array([1.0, 0.92, 0.62])
    return blur(np.clip(picture + 0.004 * rng.standard_normal(picture.shape), 0, 1), 0.5).astype(np.float32)


def dressed(*names: str, strength: str | None = None, colours: str | None = None, seed: int = 3) -> Picture:
    looks = tuple(look_named(name) for name in names)
    return dress(scene(), looks, np.random.default_rng(seed), strength=strength, palette=colours)


@cache
def styled(*names: str, strength: str | None = None, colours: str | None = None) -> Picture:
    """`dressed`, once for all tests, which cannot change it."""
    made = dressed(*names, strength=strength, colours=colours)
    made.flags.writeable = False
    return made


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_every_look_is_deterministic_and_stays_in_range(look: Look) -> None:
    kept = scene().copy()
    first, second = styled(look.name), dressed(look.name)
    assert first.shape == kept.shape
    assert first.dtype == np.float32
    assert 0 <= first.min() <= first.max() <= 1
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(scene(), kept)
    assert (np.abs(first - kept).mean() > 0.02) == (look.kind != "plain")


def test_there_are_enough_looks_of_every_kind() -> None:
    assert {look.name for look in LOOKS} == set(STYLES)
    assert len({look.name for look in LOOKS}) == len(LOOKS) >= 48
    counts = {kind: sum(look.kind == kind for look in LOOKS) for kind in ("material", "light", "medium", "tone")}
    assert min(counts.values()) >= 10
    said = [phrase for look in LOOKS for phrase in (*look.wordings, *look.tails)]
    assert len(set(said)) >= len(said) - 3, "one wording means one look"


def test_looks_are_told_apart() -> None:
    pictures = np.stack([styled(look.name) for look in LOOKS])
    coarse = np.stack([blur(p, 3) for p in pictures])
    texture = np.stack([blur(np.abs(p - c), 3) for p, c in zip(pictures, coarse, strict=True)])
    found = np.concatenate([coarse, 2 * texture], 3)
    for i, look in enumerate(LOOKS):
        for other in range(i):
            apart = np.abs(found[i] - found[other]).mean()
            assert apart > 0.012, f"{look.name} and {LOOKS[other].name} look alike: {apart:.4f}"


def test_composition_has_one_order_whatever_the_words_order() -> None:
    names = ("oil painting", "night", "sepia")
    np.testing.assert_array_equal(styled(*names), styled(*names[::-1]))
    # Sepia comes last: no pixel is left blue by the night.
    assert (styled(*names)[..., 0] >= styled(*names)[..., 2] - 1e-3).all()
    gilded = styled("gold", "aurora")
    sky = cues.sky(scene())
    assert sky[SKY].mean() > 0.9
    assert luma(gilded)[SKY].mean() < 0.4 * luma(styled("gold"))[SKY].mean(), "the sky behind gold is still the sky"
    assert gilded[SKY][..., 2].mean() > gilded[SKY][..., 0].mean()
    assert np.abs(gilded - styled("aurora"))[FACE].mean() > 0.05


@pytest.mark.parametrize("look", STYLED, ids=lambda look: look.name)
def test_strength_words_weaken_and_strengthen(look: Look) -> None:
    source = scene()
    subtle, plain, heavy = (styled(look.name, strength=s) for s in ("subtle", None, "heavy"))
    far_subtle, far, far_heavy = (float(np.abs(p - source).mean()) for p in (subtle, plain, heavy))
    assert 0.3 * far < far_subtle < 0.8 * far
    assert far_heavy > 0.85 * far
    assert np.abs(heavy - plain).mean() > 0.012, "heavy is not the same as plain"
    assert 0 <= heavy.min() <= heavy.max() <= 1
    if look.kind == "light":
        assert far_heavy > far


def test_a_heavy_brush_is_a_larger_one() -> None:
    def scale(picture: Picture) -> float:
        fine = np.abs(luma(picture) - blur(luma(picture), 1.0)).mean()
        return float(np.abs(blur(luma(picture), 1.0) - blur(luma(picture), 4.0)).mean() / fine)

    for name in ("ballpoint", "oil painting", "colored pencil", "embroidery"):
        assert scale(styled(name, strength="heavy")) > 1.1 * scale(styled(name)), name


HUES = {"red": 30, "orange": 63, "yellow": 90, "green": 145, "teal": 195, "blue": 270, "purple": 305, "pink": 350}


@pytest.mark.parametrize("name", HUES)
def test_a_colour_word_gives_that_hue(name: str) -> None:
    lab = palette.to_lab(styled("photograph", colours=name))
    a, b = lab[..., 1].mean(), lab[..., 2].mean()
    off = (np.degrees(np.arctan2(b, a)) - HUES[name] + 180) % 360 - 180
    assert abs(off) < 25, f"{np.degrees(np.arctan2(b, a)) % 360:.0f} degrees"
    assert np.hypot(a, b) > 20


@pytest.mark.parametrize("modifier", PALETTES, ids=lambda modifier: modifier.name)
def test_a_palette_changes_colour_and_keeps_the_order_of_brightness(modifier: Any) -> None:
    made = styled("photograph", colours=modifier.name)
    assert np.abs(made - scene()).mean() > 0.02
    before, after = palette.to_lab(scene())[..., 0].ravel(), palette.to_lab(made)[..., 0].ravel()
    order = np.argsort(before)
    assert np.diff(after[order]).min() > -0.1, "of 100: what was brighter is brighter still"


def test_of_two_colours_the_warm_parts_take_the_warm_one() -> None:
    lab = palette.to_lab(styled("photograph", colours="teal and orange"))
    assert lab[FACE][..., 2].mean() > 15 > -5 > lab[SKY][..., 2].mean()
    np.testing.assert_array_equal(palette.recolour(scene(), "teal and orange"), styled(colours="teal and orange"))


def test_colours_go_to_lab_and_back() -> None:
    np.testing.assert_allclose(palette.from_lab(palette.to_lab(scene())), scene(), atol=2e-4)
    white, red = palette.to_lab(np.array([[[1, 1, 1], [1, 0, 0]]], np.float32))[0]
    np.testing.assert_allclose(white, [100, 0, 0], atol=0.02)
    np.testing.assert_allclose(red, [53.24, 80.09, 67.20], atol=0.05)


def test_autumn_turns_leaves_and_leaves_skin_alone() -> None:
    before, after = scene(), styled("autumn")
    assert before[LEAVES][..., 1].mean() > before[LEAVES][..., 0].mean() + 0.15
    assert after[LEAVES][..., 0].mean() > after[LEAVES][..., 1].mean() + 0.10
    inside = np.abs(after - before)[FACE].mean()
    assert inside < 0.25 * np.abs(after - before)[LEAVES].mean()
    assert cues.foliage(before)[LEAVES].mean() > 0.6
    assert cues.foliage(before)[FACE].mean() < 0.02
    assert cues.skin(before)[FACE].mean() > 0.6


def test_light_and_weather_know_sky_from_ground() -> None:
    before = scene()
    assert cues.sky(before)[50:].mean() < 0.02
    night, winter, storm = styled("night"), styled("winter"), styled("storm")
    assert luma(night)[SKY].mean() < 0.15, "no light in the sky"
    assert luma(night)[36:40, 64:68].mean() > 2 * luma(night)[FACE].mean(), "a lamp shines, a face does not"
    assert luma(winter)[LEAVES].mean() > luma(winter)[FACE].mean() + 0.1, "snow lies on plants"
    assert luma(storm)[SKY].mean() < 0.6 * luma(before)[SKY].mean()


@cache
def textured() -> Picture:
    """Blobs of colour with detail at all sizes, (128, 128, 3)."""
    rng = np.random.default_rng(1)
    layers = [np.stack([noise((128, 128), rng, s) for _ in range(3)], 2) * w for s, w in ((2, 0.5), (5, 0.8), (14, 1))]
    return np.clip(0.5 + 0.14 * sum(layers), 0, 1).astype(np.float32)


@pytest.mark.parametrize(
    "look", [look for look in STYLED if look.name not in FIXED_TO_FRAME | IN_THE_AIR], ids=lambda look: look.name
)
def test_paint_sticks_to_the_scene(look: Look) -> None:
    assert departure(STYLES[look.name], textured()) < (0.75 if look.name in DRAWN else 0.36)


def test_paint_that_stays_with_the_frame_is_found_out() -> None:
    def fixed(picture: Picture, rng: np.random.Generator) -> Picture:
        return np.clip(0.5 + 0.1 * noise(picture.shape, rng, 1.5)[..., None] + 0 * picture, 0, 1).astype(np.float32)

    assert departure(fixed, textured()) > 0.85
    assert departure(lambda picture, rng: picture, textured()) < 1e-6
    assert set(STYLES) > FIXED_TO_FRAME | IN_THE_AIR


def test_outfits_are_mostly_plain_looks_and_prompts_say_all_of_them() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_outfit(rng) for _ in range(4000)]
    assert {look.name for outfit in drawn for look in outfit.looks} == {look.name for look in LOOKS}
    assert all(len({look.kind for look in outfit.looks}) == len(outfit.looks) for outfit in drawn)
    assert not any({"material", "medium"} <= {look.kind for look in outfit.looks} for outfit in drawn)
    assert {outfit.palette for outfit in drawn} == {None, *(m.name for m in PALETTES)}
    altered = [outfit for outfit in drawn if outfit.strength or outfit.palette]
    assert 0.10 < len(altered) / len(drawn) < 0.25
    assert 0.10 < sum(outfit.plain for outfit in drawn) / len(drawn) < 0.2
    words = set(known_words())
    for outfit in altered[:300]:
        text = word(outfit, rng)
        said = set(re.findall(r"[a-z]+", text))
        for modifier in STRENGTHS + PALETTES:
            if modifier.name in (outfit.strength, outfit.palette):
                phrases = modifier.adjectives + modifier.phrases + modifier.tails
                assert any(phrase in text for phrase in phrases), (modifier.name, text)
        assert len(said - words) <= 1, f"only a subject may be unknown: {text}"
        assert not re.search(r"\b(a a|an a|a an|,,)\b|^,|, $", text), text
        assert Outfit.of_note(outfit.note()) == outfit


def test_one_outfit_is_worded_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    heavy = Outfit(looks=(look_named("oil painting"), look_named("night")), strength="heavy", palette="blue and gold")
    said = {word(heavy, rng) for _ in range(200)}
    assert len(said) > 150
    assert any("gold and blue" in text for text in said)
    assert len({word(Outfit(looks=(PLAIN,)), rng) for _ in range(100)}) > 10
    oil = Outfit(looks=(look_named("oil painting"),), strength="heavy")
    assert any(re.search(r"\ban? (heavy|strong|bold|intense|extreme) oil painting", word(oil, rng)) for _ in range(200))


def test_leaves_are_green_and_rough() -> None:
    flat = np.full((48, 48, 3), (0.2, 0.5, 0.15), np.float32)
    assert cues.foliage(flat).max() < 0.05, "a painted wall has no leaves"
    rng = np.random.default_rng(0)
    rough = np.clip(flat * (1 + 0.3 * noise((48, 48), rng, 1.5)[..., None]), 0, 1).astype(np.float32)
    assert cues.foliage(rough)[8:-8, 8:-8].mean() > 0.6
    assert cues.foliage(rough[..., [0, 2, 1]].copy())[8:-8, 8:-8].mean() < 0.05, "nor has a rough blue one"
