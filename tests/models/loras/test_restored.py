"""LoRAs are put in and taken out to the last bit, whatever happens between, and are summed once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.lora_files import CONV, TO_K, write_kohya
from tests.support.tiers import write_tier
from vedit.errors import Interrupted, ModelError
from vedit.models import merging
from vedit.models.families import sd_loras
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_loras import LORAS
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.testing.tiny_sd import write_tiny_sd


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny_sd(tmp_path_factory.mktemp("restored") / "model", controls=("tile",))
    write_tier(folder)
    return folder


@pytest.fixture
def model(folder: Path) -> SDModel:
    return load_sd(resolve(str(folder)), controls=("tile",))


@pytest.fixture
def look(folder: Path, tmp_path: Path) -> RestyleOptions:
    write_kohya(tmp_path / "a.safetensors", folder)
    write_kohya(tmp_path / "b.safetensors", folder, modules={"unet": (TO_K, CONV)}, seed=5)
    specs = (LoraSpec(path=tmp_path / "a.safetensors"), LoraSpec(path=tmp_path / "b.safetensors", weight=0.5))
    return RestyleOptions(prompt="x", loras=specs)


def state(model: SDModel) -> dict[str, tuple[torch.Tensor, int]]:
    networks = {"unet": model.denoiser.unet, "net": model.denoiser.controlnets["tile"], **model.text.encoders}
    return {
        f"{part}.{name}": (value.detach().clone(), value.data_ptr())
        for part, network in networks.items()
        for name, value in network.named_parameters()
    }


def differing(model: SDModel, before: dict[str, tuple[torch.Tensor, int]]) -> set[str]:
    now = state(model)
    assert now.keys() == before.keys()
    return {name for name, (value, _) in now.items() if not torch.equal(value, before[name][0])}


def assert_as_before(model: SDModel, before: dict[str, tuple[torch.Tensor, int]]) -> None:
    assert not differing(model, before)
    assert {name: place for name, (_, place) in state(model).items()} == {n: place for n, (_, place) in before.items()}


@pytest.mark.parametrize(
    "error", [None, RuntimeError(), Interrupted("x", remedy="y"), KeyboardInterrupt(), GeneratorExit()]
)
def test_networks_are_as_they_were(model: SDModel, look: RestyleOptions, error: BaseException | None) -> None:
    before = state(model)
    with (
        suppress(ZeroDivisionError if error is None else type(error)),
        LORAS.encoding(model, look),
        LORAS.sampling(model, look),
    ):
        changed = differing(model, before)
        assert any(name.startswith("text_encoder.") for name in changed)
        assert any(name.startswith("unet.") for name in changed)
        assert not any(name.startswith("net.") for name in changed)
        if error is not None:
            raise error
    assert_as_before(model, before)


def test_in_any_nesting_with_another_look_and_the_fast_tier(model: SDModel, look: RestyleOptions) -> None:
    """Each sum is of what is there: the tier within the LoRAs equals the LoRAs within the tier."""
    (tier,) = model.fast
    other = RestyleOptions(prompt="y", loras=look.loras[:1])
    before = state(model)
    made: list[torch.Tensor] = []
    for first, second in ((tier.merged, lambda: LORAS.sampling(model, look)),) * 2:
        for outer, inner in ((first, second), (second, first)):
            with outer():
                alone = state(model)
                with suppress(RuntimeError), inner(), LORAS.sampling(model, other):
                    made.append(model.denoiser.unet.get_parameter(f"{TO_K}.weight").detach().clone())
                    made.append(model.denoiser.unet.get_parameter(f"{CONV}.weight").detach().clone())
                    raise RuntimeError
                assert_as_before(model, alone)
            assert_as_before(model, before)
    for one in made[2:]:
        torch.testing.assert_close(one, made[0] if one.shape == made[0].shape else made[1], rtol=1e-6, atol=1e-6)


def test_sums_are_made_once_for_the_windows_of_a_shot(
    model: SDModel, look: RestyleOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    real = merging.merged

    def counted(target: merging.Target, loras: tuple[merging.Weighted, ...]) -> merging.Weights:
        made.append(len(loras))
        return real(target, loras)

    monkeypatch.setattr(sd_loras, "merged", counted)
    for _ in range(3):
        with LORAS.sampling(model, look):
            pass
    assert made == [2]
    with LORAS.sampling(model, RestyleOptions(prompt="x", loras=look.loras[:1])):
        pass
    assert made == [2, 1]
    with torch.no_grad():  # another tensor at the place of one that was summed
        weight = model.denoiser.unet.get_parameter(f"{TO_K}.weight")
        weight.data = weight.data + 1
    with LORAS.sampling(model, RestyleOptions(prompt="x", loras=look.loras[:1])):
        pass
    assert made == [2, 1, 1]


def test_what_cannot_be_summed_leaves_the_networks_alone(model: SDModel, look: RestyleOptions, tmp_path: Path) -> None:
    file = tmp_path / "large.safetensors"
    before = state(model)
    from safetensors.torch import save_file

    tensors = load_file(look.loras[1].path)
    save_file(
        {key: value * float("inf") if key.endswith("up.weight") else value for key, value in tensors.items()}, file
    )
    broken = RestyleOptions(prompt="x", loras=(look.loras[0], LoraSpec(path=file)))
    with pytest.raises(ModelError, match="are not finite"), LORAS.sampling(model, broken):
        pass
    assert_as_before(model, before)
