"""What a look brings the text encoder and the UNet beside LoRAs: layers, new words, FreeU; put in and taken out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vedit.embedded import FOLDER
from vedit.errors import InputError, ModelError, VeditError
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_freeu import scales_of
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.embeddings import EmbeddingSpec
from vedit.options.freeu import FOR_TEXT
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import LENGTH, TEXT_WIDTH, write_tiny_sd
from vedit.testing.tiny_sdxl import TEXT_WIDTHS, write_tiny_sdxl

OPTIONS = RestyleOptions(prompt="ink", steps=2, fixed_point=1, controls=())
SCALES = "1.5,1.6,0.9,0.2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("reading") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> SDModel:
    return load_sd(resolve(str(folder)))


def embedding(path: Path, key: str = "emb_params", shape: tuple[int, ...] = (2, TEXT_WIDTH), **more: Any) -> Path:
    generator = torch.Generator().manual_seed(len(key))
    save_file({key: torch.randn(shape, generator=generator), **more}, path)
    return path


def everything(model: SDModel) -> dict[str, Any]:
    """What must be as it was: weights, attributes of blocks, the reader's state, the tokenizer's."""
    unet, text = model.denoiser.unet, model.text
    modules = {"unet": unet, "text": text.encoder}
    weights = {f"{part}.{name}": one.clone() for part, net in modules.items() for name, one in net.state_dict().items()}
    plain = [{key: value for key, value in vars(block).items() if not key.startswith("_")} for block in unet.up_blocks]
    hooks = sum(len(net._forward_hooks) for whole in modules.values() for net in whole.modules())  # pyright: ignore[reportPrivateUsage]
    return {"weights": weights, "blocks": plain, "hooks": hooks, "layer": text.layer, "vectors": dict(text.vectors)} | {
        "tokens": (len(text.tokenizer), dict(text.tokenizer.get_vocab()))
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert all(torch.equal(one, after["weights"][name]) for name, one in before["weights"].items())
    assert {key: one for key, one in before.items() if key != "weights"} == {
        key: one for key, one in after.items() if key != "weights"
    }


def test_all_of_it_leaves_no_trace(model: SDModel, tmp_path: Path) -> None:
    file = embedding(tmp_path / "wet.safetensors")
    look = replace(OPTIONS, prompt="wet ink", embeddings=(EmbeddingSpec(path=file),), freeu=SCALES, clip_skip=1)
    other = replace(look, freeu="1.1,1.2,0.8,0.7", embeddings=(EmbeddingSpec(path=file, token="ink"),))
    before, adapters = everything(model), model.adapters
    assert adapters.encoding is not None and adapters.sampling is not None
    for fails in (False, True):
        try:
            with adapters.encoding(look), adapters.sampling(look):
                inner = everything(model)
                with adapters.sampling(other), adapters.encoding(other):
                    assert model.text.vectors.keys() == {"wet", "ink"}
                    assert model.denoiser.unet.up_blocks[0].s1 == 0.8
                    model.text("wet ink")
                    if fails:
                        raise RuntimeError("in the middle of it")
                assert_same(inner, everything(model))
        except RuntimeError:
            assert fails
        assert_same(before, everything(model))


def test_a_new_word_is_read_as_its_vectors_and_others_as_before(model: SDModel, tmp_path: Path) -> None:
    file = embedding(tmp_path / "wet.safetensors", key="<wet>", shape=(TEXT_WIDTH,))
    look = replace(OPTIONS, prompt="Wet ink", negative_prompt="ink", embeddings=(EmbeddingSpec(path=file),))
    with_it, without = prepare(model, look), prepare(model, replace(look, embeddings=()))
    assert not torch.allclose(with_it.prompt.states, without.prompt.states, atol=1e-3)
    assert torch.equal(with_it.negative.states, without.negative.states)
    assert set(with_it.fingerprint) - set(without.fingerprint) == {"embeddings"}
    unused = prepare(model, replace(look, prompt="ink"))
    assert unused.fingerprint == without.fingerprint


def test_the_layer_is_counted_from_the_last_and_has_the_final_norm(tmp_path: Path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = write_tiny_sd(tmp_path / "deep")
    config = CLIPTextConfig.from_pretrained(folder / "text_encoder")
    config.num_hidden_layers = 3
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")
    model = load_sd(resolve(str(folder)))
    ids = model.text.tokenizer("ink", padding="max_length", max_length=LENGTH, return_tensors="pt").input_ids
    encoder: Any = model.text.encoder
    hidden = encoder(ids, output_hidden_states=True).hidden_states
    plain = prepare(model, OPTIONS)
    for layer in (1, 2, 3):
        made = prepare(model, replace(OPTIONS, clip_skip=layer))
        torch.testing.assert_close(made.prompt.states, encoder.final_layer_norm(hidden[-layer]), atol=1e-6, rtol=0)
        assert torch.equal(made.source_prompt.states, plain.source_prompt.states)
        assert ("clip skip" in made.fingerprint) == (layer > 1)
    resolve(str(folder)).check_look(replace(OPTIONS, clip_skip=3))
    with pytest.raises(InputError, match="clip_skip is 4, and the text encoder has 3 layers"):
        resolve(str(folder)).check_look(replace(OPTIONS, clip_skip=4))


def test_freeu_is_that_of_diffusers(model: SDModel) -> None:
    unet, generator = model.denoiser.unet, torch.Generator().manual_seed(0)
    x, text = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, LENGTH, TEXT_WIDTH, generator=generator)
    plain = unet(x, 500, encoder_hidden_states=text).sample
    unet.enable_freeu(s1=0.9, s2=0.2, b1=1.5, b2=1.6)
    peer = unet(x, 500, encoder_hidden_states=text).sample
    unet.disable_freeu()
    sampling = model.adapters.sampling
    assert sampling is not None
    with sampling(replace(OPTIONS, freeu=SCALES)):
        found = unet(x, 500, encoder_hidden_states=text).sample
    assert torch.equal(found, peer)
    assert torch.equal(unet(x, 500, encoder_hidden_states=text).sample, plain)
    assert not torch.allclose(found, plain, atol=1e-3)


def test_freeu_acts_on_what_is_sampled_and_not_on_the_inversion(model: SDModel) -> None:
    frames = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def latents(**changes: Any) -> torch.Tensor:
        restyler = prepare(model, replace(OPTIONS, **changes))
        return restyle_frames(restyler, frames, [0, 1], own_guides(restyler)([0, 1], frames)).data

    plain, changed = latents(), latents(freeu=SCALES)
    assert not torch.allclose(plain, changed, atol=1e-3)
    assert torch.equal(latents(), plain)
    assert torch.equal(latents(freeu=SCALES, strength=0.0), latents(strength=0.0))
    assert prepare(model, replace(OPTIONS, freeu=SCALES)).fingerprint["freeu"] == "b1 1.5 b2 1.6 s1 0.9 s2 0.2"


def test_values_of_the_family() -> None:
    assert scales_of("auto", 768) == FOR_TEXT[768]
    assert scales_of("auto", 1024) == FOR_TEXT[1024]
    with pytest.raises(InputError, match="no values of FreeU are known for a UNet whose text is 32 wide"):
        scales_of("auto", 32)


def test_weights_and_chunks_stand_in_the_keys(model: SDModel) -> None:
    plain = prepare(model, OPTIONS).fingerprint
    assert "prompts" not in plain
    for prompt in ("(ink)", "a BREAK b", r"\(ink\)", "#0: ink | #4: (ink:1.2)"):
        assert "prompts" in prepare(model, replace(OPTIONS, prompt=prompt)).fingerprint


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"shape": (2, 768)}, "holds vectors of 768 numbers, and the model's text encoding reads 32"),
        ({"shape": (LENGTH, TEXT_WIDTH)}, f"holds {LENGTH} vectors, of at most {LENGTH - 2}"),
        ({"key": "clip_l", "clip_g": torch.zeros(2, 1280)}, "vectors of 32 and 1280 numbers, and the model's text"),
        ({"key": "clip_g"}, "holds vectors of 32 numbers"),
        ({"key": "a.b", "c.d": torch.zeros(2, 3)}, "not an embedding"),
        ({"shape": (2, 2, TEXT_WIDTH)}, "not an embedding"),
    ],
)
def test_what_is_no_embedding_for_the_model_is_refused_by_its_header(
    folder: Path, tmp_path: Path, written: dict[str, Any], said: str
) -> None:
    file = embedding(tmp_path / "wet.safetensors", **written)
    with pytest.raises(ModelError) as told:
        resolve(str(folder)).check_look(replace(OPTIONS, embeddings=(EmbeddingSpec(path=file),)))
    assert said in told.value.message


def test_absent_files_pickles_and_two_of_one_word_are_refused(folder: Path, tmp_path: Path) -> None:
    file = embedding(tmp_path / "wet.safetensors")
    (tmp_path / "wet.pt").write_bytes(b"\x80")
    one = EmbeddingSpec(path=file)
    for specs, said in (
        ((EmbeddingSpec(path=tmp_path / "no.safetensors"),), "there is no file"),
        ((EmbeddingSpec(path=tmp_path / "wet.pt"),), "is a pickle"),
        ((one, EmbeddingSpec(path=file, token="WET")), "two embeddings stand for 'wet'"),
    ):
        with pytest.raises(VeditError, match=said) as told:
            resolve(str(folder)).check_look(replace(OPTIONS, embeddings=specs))
        assert told.value.exit_code == 2
    resolve(str(folder)).check_look(replace(OPTIONS, embeddings=(one,)))


@pytest.mark.parametrize("changes", [{"clip_skip": 2}, {"freeu": SCALES}, {"embeddings": ("x.safetensors",)}])
def test_a_model_that_lists_its_words_takes_none_of_it(changes: dict[str, Any]) -> None:
    if "embeddings" in changes:
        changes = {"embeddings": (EmbeddingSpec(path=Path("x.safetensors")),)}
    embedded = resolve(str(FOLDER))
    with pytest.raises(InputError, match=r"takes no (clip skip|freeu|embeddings)"):
        embedded.traits.check(replace(OPTIONS, **changes), model="embedded")


def test_sdxl_reads_layers_and_words_with_both_encoders(tmp_path: Path) -> None:
    folder = write_tiny_sdxl(tmp_path / "xl", controls=())
    model = load_sd(resolve(str(folder)))
    first, second = TEXT_WIDTHS
    file = tmp_path / "wet.safetensors"
    save_file({"clip_l": torch.randn(2, first), "clip_g": torch.randn(2, second)}, file)
    look = replace(OPTIONS, prompt="wet ink", embeddings=(EmbeddingSpec(path=file),))
    reference = resolve(str(folder))
    reference.check_look(look)
    plain, made = prepare(model, replace(look, embeddings=())), prepare(model, look)
    for part in (slice(0, first), slice(first, None)):
        far = (made.prompt.states - plain.prompt.states)[..., part].abs().max()
        assert float(far) > 1e-3
    assert model.text.vectors == {}
    last = prepare(model, replace(OPTIONS, clip_skip=1)).prompt.states
    encoder, tokenizer = model.text.encoder, model.text.tokenizer
    ids = tokenizer("ink", padding="max_length", max_length=16, return_tensors="pt").input_ids
    hidden = encoder(ids, output_hidden_states=True).hidden_states
    assert hidden is not None
    torch.testing.assert_close(last[..., :first], hidden[-1], atol=1e-6, rtol=0)
    same = prepare(model, replace(OPTIONS, clip_skip=2))
    torch.testing.assert_close(same.prompt.states[..., :first], hidden[-2], atol=1e-6, rtol=0)
    assert same.fingerprint == prepare(model, OPTIONS).fingerprint
    of_one = embedding(tmp_path / "one.safetensors", shape=(2, first))
    with pytest.raises(ModelError, match="holds vectors of 32 numbers, and the model's text encoding reads 32 and 48"):
        reference.check_look(replace(look, embeddings=(EmbeddingSpec(path=of_one),)))
