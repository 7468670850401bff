"""A model resolved to a value: once for a call, from its files as they are then, and without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clips import two_shots
from tests.support.loaded import small_renders
from tests.support.tiers import write_tier
from vedit.embedded import FOLDER
from vedit.errors import ModelError
from vedit.gallery.pictures import plan_gallery
from vedit.models import resolve as resolving
from vedit.models.resolve import model_of, resolve
from vedit.models.source import SD15, ModelSource
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.registry.entry import Entry, Registry
from vedit.registry.families import families
from vedit.render.preview import preview
from vedit.render.run import plan, restyle
from vedit.render.variations import variations
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.video_family import TRAITS, write_fake_video

LOOK = RestyleOptions(prompt="night", quality="draft")


def two_seeds(request: RenderRequest) -> object:
    return variations(request, 2)


def gallery(request: RenderRequest) -> object:
    return plan_gallery(request, [request.options])


@pytest.fixture
def located(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were looked for, in order."""
    names: list[str] = []
    locate = resolving._located  # pyright: ignore[reportPrivateUsage]

    def record(name: str, own: dict[str, str]) -> ModelSource:
        names.append(name)
        return locate(name, own)

    monkeypatch.setattr(resolving, "_located", record)
    return names


def test_it_says_what_was_asked_for_and_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_sd(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    found = resolve("./tiny", {"depth": "tiny/controlnet"})
    assert (found.name, found.base, found.family.name) == ("./tiny", tmp_path / "tiny", "sd")
    assert found.source == ModelSource(
        base=str(tmp_path / "tiny"), controlnets={"depth": str(tmp_path / "tiny" / "controlnet")}
    )
    assert found.control_kinds == ("tile", "softedge", "depth")
    assert (found.vocabulary, found.words, found.distilled) == (None, None, ())
    embedded = resolve("embedded")
    assert (embedded.base, embedded.traits.guidance) == (FOLDER, 1.25)
    assert embedded.vocabulary is not None and embedded.words == embedded.vocabulary.words


def test_one_that_is_not_on_this_machine_is_of_the_usual_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    named, by_id = resolve("sd15", {"tile": "owner/name"}), resolve("owner/name@v2")
    assert (named.base, named.source.base, named.family.name) == (None, SD15.base, "sd")
    assert named.source.controlnets == {**SD15.controlnets, "tile": "owner/name"}
    assert (by_id.base, by_id.source.base, by_id.traits.guidance) == (None, "owner/name@v2", 7.0)
    assert (by_id.vocabulary, by_id.distilled, by_id.sizes()) == (None, (), None)


def test_the_family_that_claims_it_says_its_traits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry("model family")
    for entry in families():
        registry.add(entry)
    registry.add(Entry(name="fake-video", summary="fake", target="vedit.testing.video_family:FAMILY"))
    monkeypatch.setattr("vedit.models.claimed.families", lambda: registry)
    found = resolve(str(write_fake_video(tmp_path / "model")))
    assert (found.family.name, found.traits) == ("fake-video", TRAITS)
    assert resolve("embedded").family.name == "sd"


def test_it_stays_what_it_was_when_it_was_first_asked(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model")
    write_tier(folder)
    found = resolve(str(folder))
    before = found.distilled
    assert found.distilled_for(LOOK) == (before[0], before[0].schedules["draft"])
    shutil.rmtree(folder / "fast")
    assert found.distilled == before
    assert resolve(str(folder)).distilled == ()


@pytest.mark.parametrize(
    "call",
    [
        plan,
        restyle,
        preview,
        two_seeds,
        gallery,
    ],
)
def test_a_call_resolves_its_model_once(
    call: Callable[[RenderRequest], object], tmp_path: Path, located: list[str]
) -> None:
    request = RenderRequest(source=two_shots(tmp_path / "in.mov"), output=tmp_path / "out.mov", options=LOOK)
    with small_renders():
        call(request)
    assert located.count("embedded") == 1


@pytest.mark.parametrize("call", [plan, restyle, preview])
def test_an_unknown_one_ends_a_call_before_its_source_is_looked_at(
    call: Callable[[RenderRequest], object], tmp_path: Path
) -> None:
    request = RenderRequest(source=tmp_path / "none.mov", output=tmp_path / "out.mov", options=LOOK, model="sd51")
    with pytest.raises(ModelError, match="there is no model 'sd51'; did you mean 'sd15'") as error:
        call(request)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="there is no ControlNet 'nowhere'"):
        model_of(RenderRequest(source=tmp_path, options=LOOK, controlnets=(("depth", "nowhere"),)))


def test_neither_resolving_nor_asking_imports_torch() -> None:
    code = (
        "import sys\n"
        "from vedit.models.resolve import resolve\n"
        "model = resolve('embedded')\n"
        "assert model.vocabulary and model.distilled and model.control_kinds and model.sizes()\n"
        "assert model.prompt_cut('night') == (None, ()) and model.notes == ()\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'cv2', 'av'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
