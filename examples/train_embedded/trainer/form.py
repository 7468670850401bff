"""The form of the embedded model: every part's configuration, in the diffusers Stable Diffusion 1.5 layout.

16 M parameters are all there is (32 MB as fp16), and two CPU cores must evaluate UNet and both ControlNets on a 256x256
frame in some 40 ms. Hence one resnet per level, attention at half resolution (down and up), at the bottom, and once
more at full latent resolution on the way up, where cross-frame attention fixes texture; and the prompt reaches every
resnet as a pooled vector added to the time embedding (`addition_embed_type="text"`), which a short training needs.
"""

from collections import Counter
from itertools import pairwise
from typing import Any, cast

from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from trainer.prompts import known_words

LATENT_CHANNELS = 16
CELL = 8
"""Pixels per latent cell along each side."""
LATENT_SCALE = 1.8
"""Brings the latents of styled pictures to unit variance (measured: 0.56 before). At unit variance v is uncorrelated
with the noisy latents, so that the UNet need not copy its input through."""
WIDTHS = (64, 128, 192)
TEXT_WIDTH = 128
TEXT_LENGTH = 32
"""Tokens of a prompt, start and end included."""
START, END = "<|startoftext|>", "<|endoftext|>"


def new_autoencoder(*, channels: int = 64, latents: int = LATENT_CHANNELS) -> AutoencoderTiny:
    """f8, 16 latent channels, 1.7 M parameters at 64 channels.

    No block at full resolution on either side: at 256x256 one costs as much as all the others together.
    """
    return AutoencoderTiny(
        in_channels=3,
        out_channels=3,
        encoder_block_out_channels=(channels,) * 4,
        decoder_block_out_channels=(channels,) * 4,
        num_encoder_blocks=(0, 0, 2, 3),
        num_decoder_blocks=(3, 3, 2, 0),
        latent_channels=latents,
        scaling_factor=LATENT_SCALE,
        force_upcast=False,
    )


def new_unet(
    *, widths: tuple[int, int, int] = WIDTHS, norm_groups: int = 8, latents: int = LATENT_CHANNELS
) -> UNet2DConditionModel:
    """v-prediction UNet for latents of any size that is a multiple of 4 cells.

    Few, large norm groups: with two channels to a group, normalisation takes brightness and colour out of the picture,
    and colour is what most looks are about.
    """
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=latents,
        out_channels=latents,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=widths,
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        # In this class the argument is the number of heads (its name is historical); 32 channels each.
        attention_head_dim=tuple(max(1, width // 32) for width in widths),  # pyright: ignore[reportArgumentType]
        norm_num_groups=norm_groups,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def new_controlnet(
    *, widths: tuple[int, int, int] = WIDTHS, norm_groups: int = 8, latents: int = LATENT_CHANNELS
) -> ControlNetModel:
    """Residuals that fit `new_unet`'s skips; convolutions only."""
    return ControlNetModel(
        in_channels=latents,
        down_block_types=("DownBlock2D",) * 3,
        mid_block_type="UNetMidBlock2D",
        block_out_channels=widths,
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=norm_groups,
        conditioning_embedding_out_channels=(8, 16, 32, 64),
        controlnet_conditioning_channel_order="rgb",
    )


def new_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer with every word of the looks as one token; other words fall apart into letters.

    Byte-pair merges learnt on the word list itself join each of its words whole, whatever words share their letters.
    Written out here because a library's trainer breaks ties in hash order: two runs, two vocabularies.
    """
    alphabet = [chr(code) for code in range(ord("!"), ord("~") + 1) if not chr(code).isupper()]
    words = [[*word[:-1], word[-1] + "</w>"] for word in known_words()]
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = [_merged(word, best) for word in words]
    pieces = dict.fromkeys([*alphabet, *(a + "</w>" for a in alphabet), *(a + b for a, b in merges), START, END])
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=cast(Any, merges), model_max_length=TEXT_LENGTH)


def _merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    """`word` with every occurrence of `pair` joined, from the left."""
    out: list[str] = []
    for piece in word:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return out


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Two transformer layers of width 128 over the small vocabulary."""
    ids = tokenizer.get_vocab()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=ids[START],
        eos_token_id=ids[END],
        pad_token_id=ids[END],
    )
    return CLIPTextModel(config)


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion 1.5's noise schedule with v-prediction: at the noisy end epsilon says nothing of the picture."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
    )
