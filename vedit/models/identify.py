"""What a model, a ControlNet or any other checkpoint is, before anything else: its family, its part and its layout.

Only configs and the headers of weights are read, which takes milliseconds whatever the size. What vedit cannot run is
refused by what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vedit.errors import ModelError
from vedit.models.branches import check_control_type, unnamed_controlnets
from vedit.models.configs import read_json
from vedit.models.families.sd_configs import has_scheduler_beside, prediction_of
from vedit.models.folder_kinds import component_kind, pipeline_kind
from vedit.models.gguf_header import read_gguf
from vedit.models.headers import SUFFIX, read_header
from vedit.models.kinds import BRANCH_GIVEN, GIVEN_AS, SD1, SD2, SDXL, Kind, built_on, kind_of
from vedit.models.weight_files import stored_in

INDEX, CONFIG = "model_index.json", "config.json"
_INSTEAD = "use a Stable Diffusion 1.x, 2.x or XL model, or --model embedded"
_REMEDIES = {
    "model": _INSTEAD,
    "network": "give the whole model: UNet, autoencoder, text encoder, tokenizer and scheduler",
    "lora": f"it changes a model and is none: give it as {GIVEN_AS['lora'].format('FILE')}, beside a --model",
    "adapter": "it is added to a model and is none; vedit does not load it: give the model alone",
    "controlnet": BRANCH_GIVEN,
    "other": _INSTEAD,
}
_PRECISIONS = {
    "F16": "fp16",
    "BF16": "bf16",
    "F32": "fp32",
    "F64": "fp64",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
    "I8": "int8",
}
_UNET_ENTRIES = ("input_blocks.0.0.weight", "down_blocks.0.resnets.0.conv1.weight")
"""How a key of every UNet of Stable Diffusion ends."""
_FOUR_BITS = ("quant_state.bitsandbytes__nf4", "quant_state.bitsandbytes__fp4")
_PICKLES = (".ckpt", ".pt", ".pth", ".bin")


def identify(path: Path) -> Kind:
    """What a file or a folder is.

    Raises:
        ModelError: it is absent, damaged, a pickle, or a folder without a checkpoint in it.
    """
    if path.is_dir():
        return _folder(path)
    refuse_pickle(path)
    if path.suffix == ".gguf":
        return _gguf(path)
    header = read_header(path)
    kind = replace(
        kind_of(header.shapes, header.metadata), precision=precision_of(header.tensor_formats, header.formats)
    )
    if kind.runs and kind.family == SD2 and kind.part == "model" and not says_prediction(path):
        return replace(
            kind,
            runs=False,
            lacks="the file does not say whether it predicts the noise or v, so give its diffusers folder, or put "
            f"its scheduler_config.json into {path.with_suffix('').name}/scheduler/ beside it",
        )
    return kind


def says_prediction(path: Path) -> bool:
    """Whether a single file, or what lies beside it, tells what its network predicts."""
    return prediction_of(path) is not None or has_scheduler_beside(path)


def refuse_pickle(path: Path) -> None:
    """Raises ModelError for a file that can run code when it is opened."""
    if path.suffix in _PICKLES:
        raise ModelError(
            f"{path} is a pickle file, which can run code when it is opened",
            remedy="convert it to .safetensors, or use a diffusers folder",
        )


def check_model(path: Path) -> Kind:
    """What a model is. Raises ModelError, with what it is, where vedit cannot run it."""
    kind = identify(path)
    if kind.part != "model" or not kind.runs:
        known = "" if kind.part == "other" else ", which vedit cannot run" if kind.part == "model" else ", not a model"
        remedy, option = _REMEDIES[kind.part], GIVEN_AS.get(kind.sort)
        if option is not None:
            remedy = f"it is added to a model and is none: give it as {option.format('FILE')}, beside a --model"
        raise ModelError(f"{path} is {kind.name}{known}", remedy=kind.lacks or remedy)
    return kind


def check_controlnet(path: Path, model: Path | None, *, kind: str) -> Kind:
    """What a ControlNet or T2I-Adapter is, that is given for a kind of control.

    Raises:
        ModelError: it is neither, none for the model, or of many kinds without this one. A model that is None is not
            known here.
    """
    if path.is_dir() and not (path / CONFIG).is_file():
        raise ModelError(
            f"{path} is no folder of a ControlNet: it has no config.json",
            remedy="give the folder that holds config.json and the weights",
        )
    found = identify(path)
    if found.part != "controlnet" and found.sort != "t2i-adapter":
        raise ModelError(
            f"{path} is {found.name}, not a ControlNet", remedy="give a ControlNet or a T2I-Adapter to --controlnet"
        )
    if not found.runs:
        raise ModelError(
            f"{path} is {found.name}, which vedit cannot run", remedy=found.lacks or "give one for the model"
        )
    whole = None if model is None else identify(model)
    if whole is not None and found.family and built_on(whole.family) != found.family:
        raise ModelError(f"{path} is {found.name}, and {model} is {whole.name}", remedy="give one for the model")
    task = (stored_in(path).shapes if path.is_dir() else read_header(path).shapes).get("task_embedding")
    if task:
        check_control_type(path, kind, count=task[0])
    return found


def notes_of(path: Path) -> tuple[str, ...]:
    """What the user of a model that runs should know of it."""
    if not path.is_dir():
        return ()
    notes: list[str] = []
    notes += [
        f"nothing says what {sub}/ of {path.name} reads, so it is not used: name it with --controlnet KIND={path / sub}"
        for sub in unnamed_controlnets(path)
    ]
    return tuple(notes)


def _folder(path: Path) -> Kind:
    if (path / INDEX).is_file():
        parts = ("unet", "vae", "transformer", "text_encoder")
        files = {part: path / part / CONFIG for part in parts}
        configs: Mapping[str, Mapping[str, Any]] = {
            part: read_json(file) for part, file in files.items() if file.is_file()
        }
        kind = pipeline_kind(read_json(path / INDEX), configs)
        return replace(kind, precision=_stored_as(path / ("unet" if "unet" in configs else "transformer")))
    lora = path / f"pytorch_lora_weights{SUFFIX}"
    if lora.is_file():
        return identify(lora)
    if (path / CONFIG).is_file():
        return replace(component_kind(read_json(path / CONFIG)), precision=_stored_as(path))
    inside = sorted(file for file in path.glob("*") if file.suffix in (SUFFIX, ".gguf") and file.is_file())
    first = identify(inside[0]) if inside else None
    found = f", but {inside[0].name} in it is {first.name}" if first is not None else ""
    raise ModelError(
        f"{path} is not a diffusers folder: it has no model_index.json{found}",
        remedy=f"give {inside[0]} itself"
        if first is not None and first.runs
        else "give the folder that holds unet/, vae/, text_encoder/, tokenizer/ and scheduler/",
    )


def _stored_as(folder: Path) -> str:
    """The precision of a part's weights, by the first file of them; "" where there are none that can be read."""
    try:
        header = read_header(stored_in(folder).files[0])
    except ModelError:
        return ""  # which is told where they are loaded
    return precision_of(header.tensor_formats, header.formats)


def _gguf(path: Path) -> Kind:
    header = read_gguf(path)
    names = {
        "wan": "Wan",
        "flux": "FLUX",
        "ltxv": "LTX-Video",
        "sd1": SD1,
        "sdxl": SDXL,
        "sd3": "Stable Diffusion 3",
        "hyvid": "HunyuanVideo",
        "cogvideox": "CogVideoX",
    }
    seen = kind_of(header.shapes).family if header.shapes else ""
    what = seen or names.get(header.architecture, header.architecture or "an unknown network")
    precision = precision_of({}, header.formats)
    if what in (SD1, SD2, SDXL) or any(key.endswith(_UNET_ENTRIES) for key in header.shapes):
        called = f"a UNet in GGUF, of {what if what in (SD1, SD2, SDXL) else 'an unknown width'}"
        return Kind(name=called, part="network", sort="unet", family=seen, precision=precision)
    return Kind(name=f"a GGUF file of {what}", part="model", family=what, precision=precision)


def precision_of(tensors: Mapping[str, str], formats: Mapping[str, int]) -> str:
    """What most numbers are stored in, in the words of the field: fp16, fp8, nf4, Q4_K.

    Args:
        tensors: by name, the format of each.
        formats: format -> how many numbers are in it.
    """
    packed = next((end for end in _FOUR_BITS if any(key.endswith(end) for key in tensors)), "")
    if packed:
        return packed[-3:]
    most = max(formats, key=lambda name: formats[name], default="")
    return _PRECISIONS.get(most, most)
