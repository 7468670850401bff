"""What a model takes by its shapes: its own weights, and passes that grow with what goes through them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPVisionModelWithProjection

from tests.support.gguf_files import write_gguf
from tests.support.tiny.ip_adapter import write_encoder, write_ip_adapter
from vedit.models.footprint import Footprint, Scene
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

SCENE = Scene(height=64, width=128, batch=4, window=12)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("footprint") / "tiny")


def taken(model: Path | str, scene: Scene = SCENE, kinds: tuple[str, ...] = ("tile",)) -> Footprint:
    found = resolve(str(model)).footprint(kinds, scene)
    assert found is not None
    return found


def test_weights_are_those_of_the_loaded_model_by_part(tiny: Path) -> None:
    loaded = load_sd(resolve(str(tiny)), controls=("tile",))
    networks: dict[str, torch.nn.Module] = {
        "unet": loaded.denoiser.unet,
        "vae": loaded.codec.vae,
        "text_encoder": loaded.text.encoder,
        "controlnet:tile": loaded.denoiser.controlnets["tile"],
    }
    found = taken(tiny)
    sizes = {n: sum(v.numel() * v.element_size() for v in m.state_dict().values()) for n, m in networks.items()}
    assert dict(found.weights) == sizes
    assert dict(found.stored) == sizes, "the files are in float32, too"
    assert found.precision == "float32"
    half = taken(tiny, replace(SCENE, loading=Loading(precision="float16")))
    assert half.weights["unet"] * 2 == found.weights["unet"]
    assert dict(half.stored) == sizes


def test_a_stable_diffusion_xl_has_a_second_text_encoder_and_is_told_sizes(tmp_path: Path) -> None:
    folder = write_tiny_sdxl(tmp_path / "xl", controls=("tile",))
    found = taken(folder, replace(SCENE, loading=Loading(precision="float16")))
    assert list(found.weights) == ["unet", "vae", "text_encoder", "text_encoder_2", "controlnet:tile"]
    assert found.denoise.work.attention > 0
    wide = taken(folder)
    # Its autoencoder overflows in float16, and stays in float32.
    assert found.weights["vae"] == wide.weights["vae"]
    assert 2 * found.weights["unet"] == wide.weights["unet"]


def test_more_in_a_pass_takes_more_and_more_of_the_same_in_turn_does_not(tiny: Path) -> None:
    base = taken(tiny)
    larger = taken(tiny, replace(SCENE, height=128))
    assert larger.denoise.peak > base.denoise.peak
    assert larger.decode.peak > base.decode.peak
    assert larger.encode.work.convolutions == 2 * base.encode.work.convolutions
    assert taken(tiny, replace(SCENE, batch=2)).denoise.peak < base.denoise.peak
    assert taken(tiny, kinds=("tile", "softedge")).denoise.peak > base.denoise.peak
    assert taken(tiny, replace(SCENE, cross_frame=False)).denoise.work.attention < base.denoise.work.attention
    # A control picture is embedded once for each part of a window, and held.
    longer = [taken(tiny, replace(SCENE, window=window)).denoise.peak for window in (12, 16, 20)]
    assert longer[2] - longer[1] == longer[1] - longer[0] >= 0
    assert base.loading >= base.all_weights


def test_a_cpu_decodes_frame_by_frame_and_a_gpu_in_batches(tiny: Path) -> None:
    by_batch = [taken(tiny, replace(SCENE, batch=n)).decode.peak for n in (1, 4)]
    assert by_batch[0] == by_batch[1]
    on_gpu = [taken(tiny, replace(SCENE, batch=n, loading=Loading(device="cuda"))).decode.peak for n in (1, 4)]
    assert on_gpu[1] == 4 * on_gpu[0]


def test_tiles_take_less_memory_and_more_time(tiny: Path) -> None:
    large = replace(SCENE, height=1024, width=1024)
    whole, tiled = taken(tiny, large), taken(tiny, replace(large, tiled=True))
    for one, other in ((tiled.decode, whole.decode), (tiled.encode, whole.encode)):
        assert one.peak < other.peak
        assert one.work.convolutions > other.work.convolutions
    # A frame at a time, on a GPU too.
    on_gpu = [
        taken(tiny, replace(large, tiled=True, loading=Loading(device="cuda"), batch=n)).decode.peak for n in (1, 4)
    ]
    assert on_gpu[0] == on_gpu[1]


def test_the_named_model_is_known_by_its_shapes_where_it_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    found = taken("sd15", replace(SCENE, height=512, width=512), kinds=("tile",))
    # They rest as they are published; biases, norms and the first layer are wide.
    for part, numbers in {"unet": 859_520_964, "controlnet:tile": 361_279_120}.items():
        assert 2 * numbers < found.weights[part] < 2.01 * numbers
    assert found.stored["unet"] == 2 * 859_520_964
    # As diffusers counts it for one picture of that size, two multiplications and additions being two operations.
    assert found.denoise.work.convolutions + found.denoise.work.products == pytest.approx(9.1e11, rel=0.05)
    assert resolve("owner/name").footprint((), SCENE) is None


def test_an_ip_adapter_is_held_and_what_looks_at_pictures_only_before_the_frames(tiny: Path, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "image_encoder")
    adapter = write_ip_adapter(tmp_path / "adapter.safetensors", tiny)
    found = resolve(str(tiny), ip_adapter=str(adapter)).footprint(
        ("tile",), replace(SCENE, loading=Loading(precision="float16"))
    )
    bare = taken(tiny, replace(SCENE, loading=Loading(precision="float16")))
    assert found is not None
    pictures = load_sd(resolve(str(tiny), ip_adapter=str(adapter))).pictures
    assert pictures is not None
    held = sum(p.numel() for module in (pictures.projection, *pictures.layers.values()) for p in module.parameters())
    assert dict(found.weights) == {**bare.weights, "ip_adapter": 2 * held}
    assert dict(found.stored) == {**bare.stored, "ip_adapter": 4 * held}
    network = CLIPVisionModelWithProjection.from_pretrained(encoder, local_files_only=True)
    read = sum(p.numel() for p in network.parameters())
    assert (found.reader, found.reader_stored) == (2 * read, 4 * read)
    assert (bare.reader, bare.reader_stored) == (0, 0)
    large = replace(found, reader=10**9, reader_stored=2 * 10**9)
    assert large.activations == 10**9
    assert large.loading == found.all_weights + 3 * 10**9
    assert large.largest_stored == 2 * 10**9


def test_what_is_injected_is_held_for_the_whole_window(tiny: Path) -> None:
    model = load_sd(resolve(str(tiny)))
    unet, codec = model.denoiser.unet, model.codec
    x = torch.zeros(SCENE.batch, 4, SCENE.height // codec.factors.cell, SCENE.width // codec.factors.cell)
    bare = taken(tiny, kinds=())
    for injected in (("features",), ("attention",), ("features", "attention")):
        found = taken(tiny, replace(SCENE, injected=injected), kinds=())
        with (
            model.injection() as states,
            states.taking(features="features" in injected, attention="attention" in injected),
        ):
            unet(x, 1, encoder_hidden_states=torch.zeros(SCENE.batch, 77, 32))
            held = states.held_bytes
        assert held > 0
        assert found.denoise.peak - bare.denoise.peak == 3 * held, "the window is three calls"
        assert found.denoise.work == bare.denoise.work


def test_a_unet_beside_a_model_that_is_not_here_is_not_taken_for_the_published_one(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    weights = load_file(tiny / "unet" / "diffusion_pytorch_model.safetensors")
    file = write_gguf(tmp_path / "unet.gguf", weights, "F16")
    assert resolve("sd15", unet=str(file)).footprint((), SCENE) is None
    here = resolve(str(tiny), unet=str(file)).footprint((), SCENE)
    assert here is not None
    assert here.stored["unet"] == file.stat().st_size
