"""The JSON files of a model, read as data that nobody vouches for: of the right kind, within bounds, nothing obeyed.

Libraries build whatever a config says: a network of a billion layers, one whose attention is foreign code, one whose
schedule divides by NaN. So every config is read here first, and what is built gets the plain table that came of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from math import isfinite, log, log1p
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NoReturn, cast

from vedit.errors import ModelError

Part = Literal[
    "unet",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "controlnet",
    "scheduler",
    "image_encoder",
    "motion_adapter",
    "t2i_adapter",
]
_MOST_BYTES = 64 * 2**20
"""Of a JSON file. A tokenizer of a hundred thousand words takes 10 MB."""
_LARGEST = 10_000_000
"""Of a number in a config, either way: more than any width, count, vocabulary or noise level there is."""
_MOST_ITEMS = 100_000
_LEAST_SIGNAL = 1e-12
"""Of a schedule's last timestep, where Stable Diffusion has 0.005: sampling divides by its root."""
_REMEDY = "fetch the model again, or mend the file"


def read_json(path: Path) -> dict[str, Any]:
    """The table that a JSON file of a model holds.

    Raises:
        ModelError: it is absent, no file, closed to the user, too large, no UTF-8, no JSON, nested too deep, holds NaN
            or infinity, or is no table.
    """
    if not path.is_file():  # a pipe or a device would be read for ever
        said = "is a folder, where a file should be" if path.is_dir() else "is missing"
        raise damaged(path, said)
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise damaged(path, f"cannot be read: {error.strerror or error}") from None
    if len(raw) > _MOST_BYTES:
        raise damaged(path, f"is larger than the {_MOST_BYTES // 2**20} MB that a model's JSON may have")
    if not raw.strip():
        raise damaged(path, "is empty")
    try:
        found: object = json.loads(raw.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise damaged(path, "is no UTF-8") from None
    except RecursionError:
        raise damaged(path, "is nested too deep") from None
    except ValueError as error:
        raise damaged(path, f"is no JSON: {str(error).splitlines()[0][:120]}") from None
    if not isinstance(found, dict):
        raise damaged(path, f"holds {_kind(found)}, where a table is wanted")
    return cast("dict[str, Any]", found)


def read_config(path: Path, part: Part) -> dict[str, Any]:
    """The config of one part, checked, as a plain table that may be built.

    Raises:
        ModelError: as `read_json`; a value is of another kind or out of bounds; or the weights are quantized, which is
            nothing that these networks can be built from.
    """
    config = read_json(path)
    if config.get("model_type") == "clip":  # both of its encoders in one
        own = config.get("vision_config" if part == "image_encoder" else "text_config")
        if isinstance(own, dict):
            shared = {key: config[key] for key in ("projection_dim",) if key in config and part == "image_encoder"}
            config = {**shared, **cast("dict[str, Any]", own)}
    if config.get("quantization_config") is not None:
        raise damaged(
            path,
            f"says that the weights are quantized{_by(config['quantization_config'])}",
            "use the weights as they were before, with --quantize nf4 or int8 where memory is short",
        )
    for key, fault in _faults(config):
        raise damaged(path, f"says {key} = {_short(config.get(key))}: {fault}")
    needed = _NEEDED[part]
    if not any(key in config for key in needed):
        raise damaged(path, f"does not say {' or '.join(needed)}")
    for key, allowed, wanted in _RULES[part]:
        if key in config and not allowed(config[key]):
            raise damaged(path, f"says {key} = {_short(config[key])}, where {wanted} is wanted")
    if part == "scheduler":
        _check_levels(path, config)
    # How attention is computed is vedit's to say: a config could name code of a repository.
    return {key: value for key, value in config.items() if key not in _OURS and (key == "_class_name" or key[0] != "_")}


def _by(said: object) -> str:
    """What quantised them, where a config says so."""
    method = cast("dict[str, object]", said).get("quant_method") if isinstance(said, dict) else None
    return f" by {method}" if isinstance(method, str) and method.isprintable() and len(method) < 40 else ""


def subfolders(path: Path) -> dict[str, str]:
    """A table of names and folders beside it, such as controls.json.

    Raises:
        ModelError: as `read_json`, or an entry is not the name of a folder there.
    """
    table = read_json(path)
    for name, folder in table.items():
        if not isinstance(folder, str) or not name or not _inside(folder):
            raise damaged(path, f"names {_short(folder)} for {name!r}, which is no folder beside it")
        if not (path.parent / folder).is_dir():
            raise damaged(path, f"names {_short(folder)} for {name!r}, and there is no such folder")
    return cast("dict[str, str]", table)


def shards(path: Path) -> tuple[Path, ...]:
    """The files that an index of weights names.

    Raises:
        ModelError: as `read_json`, there is no table `weight_map`, or it names anything but a file beside it.
    """
    named = read_json(path).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise damaged(path, "has no table weight_map")
    files = dict.fromkeys(cast("dict[str, object]", named).values())
    for file in files:
        if not isinstance(file, str) or not _inside(file) or len(PurePosixPath(file).parts) != 1:
            raise damaged(path, f"names {_short(file)}, which is no file beside it")
    return tuple(path.parent / cast("str", file) for file in files)


def texts_of(path: Path, key: str) -> list[str]:
    """A list of texts in a JSON file. Raises ModelError as `read_json`, or it is none."""
    found = read_json(path).get(key)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in cast("list[object]", found)):
        raise damaged(path, f"has no list of texts {key!r}")
    return cast("list[str]", found)


def damaged(path: Path, said: str, remedy: str = _REMEDY) -> ModelError:
    """The error of one file of a model."""
    return ModelError(f"{path} {said}", remedy=remedy)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _inside(name: str) -> bool:
    """Whether a name leads to something below the folder that it counts from."""
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and not {"..", "~"} & set(parts) and not set(name) & set("\\:\0")


def _faults(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys whose values no config may have, and why: numbers that are none or far out, and endless lists."""
    for key, value in config.items():
        waiting: list[object] = [value]
        count = 0
        while waiting:
            item = waiting.pop()
            count += 1
            if isinstance(item, dict):
                waiting += cast("dict[str, object]", item).values()
            elif isinstance(item, list):
                waiting += cast("list[object]", item)
            elif isinstance(item, float) and not isfinite(item):
                yield key, "it is not finite"
            elif isinstance(item, int | float) and abs(item) > _LARGEST:
                yield key, f"it is beyond {_LARGEST}"
            if count > _MOST_ITEMS:
                yield key, f"it holds more than {_MOST_ITEMS} values"
                break


def _whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _or_none(allowed: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or allowed(value)


def _some(allowed: Callable[[object], bool], most: int = 16) -> Callable[[object], bool]:
    """A list of a few such values, at least one."""

    def of(value: object) -> bool:
        items = cast("list[object]", value)
        return isinstance(value, list) and 0 < len(items) <= most and all(map(allowed, items))

    return of


def _either(*kinds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: any(allowed(value) for allowed in kinds)


def _number(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def _one_of(*texts: str) -> Callable[[object], bool]:
    return lambda value: value in texts


Rule = tuple[str, Callable[[object], bool], str]
_WIDTHS = _some(_whole(1, 16384))
_FEW = _whole(1, 64)
_NETWORK: tuple[Rule, ...] = (
    ("block_out_channels", _WIDTHS, "a list of 1 to 16 widths up to 16384"),
    ("in_channels", _whole(1, 1024), "a number of channels up to 1024"),
    ("out_channels", _whole(1, 1024), "a number of channels up to 1024"),
    ("layers_per_block", _either(_FEW, _some(_FEW)), "a whole number from 1 to 64, or a list of them"),
    ("norm_num_groups", _or_none(_whole(1, 16384)), "a whole number from 1 on"),
    ("down_block_types", _some(_text), "a list of names"),
    ("up_block_types", _some(_text), "a list of names"),
    ("act_fn", _text, "a name"),
)
_BLOCKS: tuple[Rule, ...] = (
    *_NETWORK,
    ("cross_attention_dim", _or_none(_either(_whole(1, 65536), _WIDTHS)), "a width up to 65536"),
    ("attention_head_dim", _or_none(_either(_whole(1, 16384), _WIDTHS)), "a whole number from 1 to 16384"),
    ("num_attention_heads", _or_none(_either(_whole(1, 16384), _WIDTHS)), "a whole number from 1 to 16384"),
    (
        "transformer_layers_per_block",
        _either(_FEW, _some(_either(_FEW, _some(_FEW)))),
        "a whole number from 1 to 64, or a list of them",
    ),
)
_XL: tuple[Rule, ...] = (
    ("addition_time_embed_dim", _or_none(_whole(1, 16384)), "a width up to 16384"),
    ("projection_class_embeddings_input_dim", _or_none(_whole(1, 262144)), "a width up to 262144"),
)
_TEXT: tuple[Rule, ...] = (
    ("hidden_size", _whole(1, 65536), "a width up to 65536"),
    ("intermediate_size", _whole(1, 262144), "a width up to 262144"),
    ("num_hidden_layers", _whole(1, 256), "a whole number from 1 to 256"),
    ("num_attention_heads", _whole(1, 16384), "a whole number from 1 to 16384"),
    ("vocab_size", _whole(1, 4_000_000), "a whole number from 1 on"),
    ("max_position_embeddings", _whole(2, 65536), "a whole number from 2 to 65536"),
    ("projection_dim", _whole(1, 65536), "a width up to 65536"),
    ("layer_norm_eps", _number(0, 1), "a number from 0 to 1"),
    ("hidden_act", _text, "a name"),
)
_HEADS = _either(_whole(1, 16384), _WIDTHS)
_DEPTHS = _either(_FEW, _some(_either(_FEW, _some(_FEW))))
_MOTION: tuple[Rule, ...] = (
    ("motion_max_seq_length", _whole(1, 4096), "a number of frames up to 4096"),
    ("motion_num_attention_heads", _HEADS, "a whole number from 1 to 16384, or a list of them"),
    ("use_motion_mid_block", _one_of(cast("Any", True), cast("Any", False)), "true or false"),
)
_LEVEL = _number(0, 0.9999)
_RULES: dict[Part, tuple[Rule, ...]] = {
    "unet": (
        *_BLOCKS,
        *_XL,
        *_MOTION,
        ("temporal_transformer_layers_per_block", _DEPTHS, "a whole number from 1 to 64, or a list of them"),
        ("temporal_transformer_layers_per_mid_block", _or_none(_DEPTHS), "a whole number from 1 to 64, or a list"),
    ),
    "motion_adapter": (
        *_MOTION,
        ("block_out_channels", _WIDTHS, "a list of 1 to 16 widths up to 16384"),
        ("motion_layers_per_block", _either(_FEW, _some(_FEW)), "a whole number from 1 to 64, or a list of them"),
        ("motion_transformer_layers_per_block", _DEPTHS, "a whole number from 1 to 64, or a list of them"),
        ("motion_mid_block_layers_per_block", _FEW, "a whole number from 1 to 64"),
        ("motion_transformer_layers_per_mid_block", _either(_FEW, _some(_FEW)), "a whole number from 1 to 64"),
        ("motion_norm_num_groups", _whole(1, 16384), "a whole number from 1 on"),
        ("conv_in_channels", _or_none(_whole(1, 1024)), "a number of channels up to 1024"),
    ),
    "controlnet": (
        *_BLOCKS,
        *_XL,
        ("num_control_type", _whole(1, 64), "a whole number from 1 to 64"),
        ("conditioning_embedding_out_channels", _WIDTHS, "a list of 1 to 16 widths up to 16384"),
        ("controlnet_conditioning_channel_order", _one_of("rgb", "bgr"), "rgb or bgr"),
    ),
    "vae": (
        *_NETWORK,
        ("encoder_block_out_channels", _WIDTHS, "a list of 1 to 16 widths up to 16384"),
        ("decoder_block_out_channels", _WIDTHS, "a list of 1 to 16 widths up to 16384"),
        ("num_encoder_blocks", _some(_whole(0, 64)), "a list of whole numbers up to 64"),
        ("num_decoder_blocks", _some(_whole(0, 64)), "a list of whole numbers up to 64"),
        ("latent_channels", _whole(1, 1024), "a number of channels up to 1024"),
        ("scaling_factor", _number(1e-6, 1e6), "a number above 0"),
        ("shift_factor", _or_none(_number(-1e6, 1e6)), "a number"),
        ("latent_magnitude", _number(1e-6, 1e6), "a number above 0"),
        ("latent_shift", _number(-1e6, 1e6), "a number"),
    ),
    "text_encoder": _TEXT,
    "text_encoder_2": _TEXT,
    "image_encoder": (
        ("hidden_size", _whole(1, 65536), "a width up to 65536"),
        ("intermediate_size", _whole(1, 262144), "a width up to 262144"),
        ("num_hidden_layers", _whole(2, 256), "a whole number from 2 to 256"),
        ("num_attention_heads", _whole(1, 16384), "a whole number from 1 to 16384"),
        ("projection_dim", _whole(1, 65536), "a width up to 65536"),
        ("image_size", _whole(1, 4096), "a whole number from 1 to 4096"),
        ("patch_size", _whole(1, 4096), "a whole number from 1 to 4096"),
        ("num_channels", _whole(3, 3), "3"),
        ("layer_norm_eps", _number(0, 1), "a number from 0 to 1"),
        ("hidden_act", _text, "a name"),
    ),
    "t2i_adapter": (
        ("adapter_type", _one_of("full_adapter", "full_adapter_xl", "light_adapter"), "a network that diffusers knows"),
        ("channels", _some(_whole(4, 16384)), "a list of 1 to 16 widths from 4 to 16384"),
        ("in_channels", _either(_whole(1, 1), _whole(3, 3)), "1 or 3"),
        ("num_res_blocks", _FEW, "a whole number from 1 to 64"),
        ("downscale_factor", _whole(1, 64), "a whole number from 1 to 64"),
    ),
    "scheduler": (
        ("num_train_timesteps", _whole(1, 100_000), "a whole number from 1 to 100000"),
        ("beta_start", _LEVEL, "a number from 0 to below 1"),
        ("beta_end", _LEVEL, "a number from 0 to below 1"),
        ("beta_schedule", _one_of("linear", "scaled_linear", "squaredcos_cap_v2"), "a schedule that DDIM knows"),
        ("trained_betas", _or_none(_some(_LEVEL, 100_000)), "a list of numbers from 0 to below 1"),
        ("prediction_type", _one_of("epsilon", "v_prediction"), "epsilon or v_prediction"),
        ("steps_offset", _whole(0, 100_000), "a whole number from 0 on"),
        ("timestep_spacing", _one_of("leading", "trailing", "linspace"), "leading, trailing or linspace"),
        ("clip_sample", _one_of(cast("Any", True), cast("Any", False)), "true or false"),
        ("rescale_betas_zero_snr", _one_of(cast("Any", True), cast("Any", False)), "true or false"),
        ("set_alpha_to_one", _one_of(cast("Any", True), cast("Any", False)), "true or false"),
    ),
}
_NEEDED: dict[Part, tuple[str, ...]] = {
    "unet": ("block_out_channels",),
    "controlnet": ("block_out_channels",),
    "motion_adapter": ("block_out_channels",),
    "vae": ("block_out_channels", "encoder_block_out_channels"),
    "text_encoder": ("hidden_size",),
    "text_encoder_2": ("hidden_size",),
    "image_encoder": ("hidden_size",),
    "t2i_adapter": ("channels", "adapter_type"),
    "scheduler": ("num_train_timesteps", "beta_start", "trained_betas", "beta_schedule", "_class_name"),
}
_OURS = frozenset(("quantization_config", "attn_implementation", "auto_map", "experts_implementation"))


def _check_levels(path: Path, config: Mapping[str, Any]) -> None:
    """Raises ModelError where no noise is ever added, or the noise is not that of so many timesteps."""
    betas, count = config.get("trained_betas"), config.get("num_train_timesteps", 1000)
    if betas is not None and len(betas) != count:
        raise damaged(path, f"has {len(betas)} trained_betas for {count} timesteps")
    if betas is None and config.get("beta_schedule") != "squaredcos_cap_v2" and not config.get("beta_end", 0.02) > 0:
        raise damaged(path, "says beta_end = 0, where noise has to be added")
    if config.get("beta_schedule") != "squaredcos_cap_v2" or betas is not None:
        left = sum(log1p(-beta) for beta in betas or _betas(config, count))
        if left < log(_LEAST_SIGNAL) and not config.get("rescale_betas_zero_snr"):
            raise damaged(path, "adds so much noise that nothing is left to divide by at the last timestep")
    if config.get("rescale_betas_zero_snr") and config.get("prediction_type", "epsilon") == "epsilon":
        raise damaged(path, "has no signal at its last timestep, from which epsilon cannot be predicted")
    if config.get("steps_offset", 0) >= count:
        raise damaged(path, f"says steps_offset = {config['steps_offset']} of {count} timesteps")


def _betas(config: Mapping[str, Any], count: int) -> list[float]:
    """The noise of each timestep, by diffusers' formulas."""
    power = 2 if config.get("beta_schedule", "linear") == "scaled_linear" else 1
    first, last = (config.get(key, usual) ** (1 / power) for key, usual in (("beta_start", 1e-4), ("beta_end", 0.02)))
    return [(first + (last - first) * n / max(count - 1, 1)) ** power for n in range(count)]


def _kind(value: object) -> str:
    kinds: tuple[tuple[Any, str], ...] = (
        (list, "a list"),
        (str, "a text"),
        (bool, "true or false"),
        ((int, float), "a number"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
