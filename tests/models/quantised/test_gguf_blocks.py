"""The number formats of GGUF files: every block becomes the numbers that the gguf package makes of it."""

from __future__ import annotations

import pytest
import torch

from vedit.models.gguf_blocks import widened
from vedit.models.gguf_header import BLOCKS

SCALES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
}
"""Where a block has numbers in half precision, in bytes."""


def blocks(layout: str) -> torch.Tensor:
    """Twelve blocks of all bytes, whose scales are finite."""
    size = BLOCKS[layout][1]
    raw = ((torch.arange(12 * size) * 37 + 11) % 256).to(torch.uint8).reshape(12, size)
    for place in SCALES[layout]:
        raw[:, place + 1] &= 0x3F
    return raw


KNOWN: dict[str, tuple[float, list[float]]] = {
    "Q4_0": (
        -77.38594895601273,
        [0.010862350463867188, -0.013034820556640625, 0.0, 0.0065174102783203125, 0.013034820556640625],
    ),
    "Q4_1": (
        653.6272988915443,
        [
            0.0003489851951599121,
            0.0002473592758178711,
            0.0003027915954589844,
            0.0002288818359375,
            0.00025659799575805664,
        ],
    ),
    "Q5_0": (
        -119.25592774152756,
        [0.037200927734375, -0.37200927734375, -0.1488037109375, 0.37200927734375, -0.1488037109375],
    ),
    "Q5_1": (
        515.6813833117485,
        [0.014437198638916016, 0.017438888549804688, 0.021040916442871094, 0.013236522674560547, 0.014437198638916016],
    ),
    "Q8_0": (
        -421.6142740249634,
        [-0.0068836212158203125, 0.07801437377929688, 0.0917816162109375, 0.1766796112060547, 0.2753448486328125],
    ),
    "Q2_K": (
        -190.28612512350082,
        [
            -0.011585712432861328,
            -0.028375625610351562,
            -0.017182350158691406,
            -0.03783416748046875,
            -0.03783416748046875,
        ],
    ),
    "Q3_K": (
        1550.2669812440872,
        [0.9454193115234375, -1.26055908203125, -0.630279541015625, -1.1942138671875, 0.796142578125],
    ),
    "Q4_K": (
        -3709.2688479423523,
        [3.7864990234375, -41.96044921875, -17.007568359375, 3.7864990234375, -17.007568359375],
    ),
    "Q5_K": (
        25851.180168628693,
        [86.5931396484375, -38.77294921875, -10.913818359375, 86.5931396484375, -10.913818359375],
    ),
    "Q6_K": (
        1608.9859936237335,
        [34.155120849609375, -43.143310546875, 25.16693115234375, 58.934326171875, 43.42529296875],
    ),
}
"""By the gguf package 0.19: the sum of all numbers, and some of the fifth block's."""


@pytest.mark.parametrize("layout", BLOCKS)
def test_known_blocks(layout: str) -> None:
    found = widened(blocks(layout), layout)
    assert found.shape == (12, BLOCKS[layout][0])
    total, some = KNOWN[layout]
    assert float(found.double().sum()) == pytest.approx(total, rel=1e-9)
    assert found[4][[0, 1, 15, 16, 31]].tolist() == pytest.approx(some, rel=1e-6)


@pytest.mark.parametrize("layout", BLOCKS)
def test_each_is_as_the_gguf_package_has_it(layout: str) -> None:
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    kind = gguf.GGMLQuantizationType[layout]
    assert gguf.GGML_QUANT_SIZES[kind] == BLOCKS[layout]
    raw = blocks(layout)
    theirs = torch.from_numpy(gguf.quants.dequantize(raw.numpy(), kind))
    assert torch.equal(theirs, widened(raw, layout))
