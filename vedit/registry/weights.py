"""The weights that preprocessors can be given: which, from where, how big, under what licence.

A revision is pinned where the commit is known from more than one source, with the checksum of its weights where that
is known too; None where it is not. The sizes are those of the download.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class WeightsInfo:
    """Weights known by name."""

    name: str
    repo: str
    """On the hub: owner/name."""
    revision: str | None
    """The pinned commit, 40 hex digits; None: the newest at the time of pulling, recorded then."""
    size_bytes: int
    """To download; approximate."""
    licence: str
    commercial: bool
    """Whether the licence allows commercial use."""
    summary: str
    files: tuple[str, ...] = ("*.safetensors", "*.json", "*.txt")
    """Patterns of the files to fetch; each one that ends in .safetensors must be there."""
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    """Checksums of files at the pinned commit, by name; a pull that brings others is refused."""
    pickle: str = ""
    """The repository's file where it holds these weights as a pickle alone: `pull` refuses, the user converts it."""


WEIGHTS = (
    WeightsInfo(
        name="depth-anything-v2-small",
        repo="depth-anything/Depth-Anything-V2-Small-hf",
        revision="5426e4f0f36572d16453bbda7a8389317b1bef99",
        size_bytes=99_200_000,
        licence="Apache-2.0",
        commercial=True,
        summary="depth: Depth Anything V2 Small, relative depth of any picture",
        sha256={"model.safetensors": "3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70"},
    ),
    WeightsInfo(
        name="dpt-large",  # the smaller hybrid is on the hub as a pickle only
        repo="Intel/dpt-large",
        revision="bc15f29aa3a80d532f2ed650b5e16ac48d8958f9",
        size_bytes=1_367_500_000,
        licence="Apache-2.0",
        commercial=True,
        summary="depth: DPT-Large of MiDaS 3.0, relative depth",
        sha256={"model.safetensors": "c173e7fd575c4d6c2164621063fed3a0e7e2eb6adbfb7c1845b364bc0fed9ce8"},
    ),
    WeightsInfo(
        name="zoedepth-nyu-kitti",
        repo="Intel/zoedepth-nyu-kitti",
        revision="f364d4c7936e91f465abba182208dd68142bf0ca",
        size_bytes=1_380_400_000,
        licence="MIT",
        commercial=True,
        summary="depth: ZoeDepth for rooms and streets, depth in metres",
        sha256={"model.safetensors": "c5494fa0938f18d71e215e245472470c3aefebd7b434abd89750e5ae4008e2dc"},
    ),
    WeightsInfo(
        name="rtdetr-r18",
        repo="PekingU/rtdetr_r18vd_coco_o365",
        revision="386c43855d01bcd966e548f3296fbd2cd2a2a40b",
        size_bytes=80_900_000,
        licence="Apache-2.0",
        commercial=True,
        summary="pose: RT-DETR R18, finds the people",
    ),
    WeightsInfo(
        name="vitpose-base",
        repo="usyd-community/vitpose-base-simple",
        revision="a93ac0c67e0b7e2c55287d21d4c460c8f3c54d45",
        size_bytes=344_000_000,
        licence="Apache-2.0",
        commercial=True,
        summary="pose: ViTPose Base, finds their joints",
    ),
    WeightsInfo(
        name="upernet-convnext-tiny",
        repo="openmmlab/upernet-convnext-tiny",
        revision="876ffc56b819a829448f7e81e9f8606deef6fb65",
        size_bytes=241_000_000,
        licence="MIT",
        commercial=True,
        summary="segment, foreground: UperNet with ConvNeXt-Tiny, the classes of ADE20K",
    ),
    WeightsInfo(
        name="mask2former-swin-small-ade",
        repo="facebook/mask2former-swin-small-ade-semantic",
        revision=None,
        size_bytes=276_000_000,
        licence="'other' on the hub; the code was first released under CC-BY-NC-4.0",
        commercial=False,
        summary="segment-mask2former: Mask2Former with Swin-Small, the classes of ADE20K",
    ),
    WeightsInfo(
        name="segformer-b0-ade",
        repo="nvidia/segformer-b0-finetuned-ade-512-512",
        revision=None,
        size_bytes=15_000_000,
        licence="NVIDIA Source Code License for SegFormer, non-commercial",
        commercial=False,
        summary="segment-segformer: SegFormer B0, the classes of ADE20K",
    ),
    WeightsInfo(
        name="sam2.1-hiera-tiny",
        repo="facebook/sam2.1-hiera-tiny",
        revision=None,
        size_bytes=156_000_000,
        licence="Apache-2.0",
        commercial=True,
        summary="subjects: SAM 2.1 Tiny, follows what is shown on one frame",
    ),
    WeightsInfo(
        name="owlv2-base-patch16",
        repo="google/owlv2-base-patch16-ensemble",
        revision="cfd3195ba4ea9592eec887ded089f4c08eff231d",
        size_bytes=622_000_000,
        licence="Apache-2.0",
        commercial=True,
        summary="subjects: OWLv2 Base, finds what is named in words",
    ),
    WeightsInfo(
        name="dino-vitb8",
        repo="facebook/dino-vitb8",
        revision=None,
        size_bytes=343_000_000,
        licence="Apache-2.0",
        commercial=True,
        summary="the metric dino: DINO ViT-B/8, how alike the structure of two pictures is",
    ),
    WeightsInfo(
        name="clip-vit-large-patch14",
        repo="openai/clip-vit-large-patch14",
        revision=None,
        size_bytes=1_710_000_000,
        licence="MIT, as its code; the card asks for research use",
        commercial=False,
        summary="the metric clip: CLIP ViT-L/14, how well pictures go with a text and with each other",
    ),
    WeightsInfo(
        name="pickscore-v1",
        repo="yuvalkirstain/PickScore_v1",
        revision=None,
        size_bytes=3_940_000_000,
        licence="not stated beside the weights; its code is MIT",
        commercial=False,
        summary="the metric pickscore: CLIP ViT-H/14 taught which pictures people prefer for a prompt",
    ),
    *(
        WeightsInfo(
            name=name,
            repo="fal-ai/teed" if name == "teed" else "lllyasviel/Annotators",
            revision=None,
            size_bytes=size,
            licence=licence,
            commercial=licence in ("Apache-2.0", "MIT"),
            summary=summary,
            pickle=file,
        )
        for name, file, size, licence, summary in (
            ("hed", "ControlNetHED.pth", 29_400_000, "Apache-2.0", "softedge-hed: HED, retrained for ControlNet 1.1"),
            ("pidinet", "table5_pidinet.pth", 2_900_000, "PiDiNet's, for research", "softedge-pidi: PiDiNet"),
            ("teed", "5_model.pth", 250_000, "MIT", "softedge-teed: TEED"),
            ("lineart", "sk_model.pth", 17_200_000, "MIT", "lineart-aux: Informative Drawings, fine lines"),
            ("lineart-anime", "netG.pth", 217_600_000, "MIT", "lineart-anime: Anime2Sketch"),
            ("mlsd", "mlsd_large_512_fp32.pth", 6_300_000, "Apache-2.0", "mlsd: M-LSD large, straight lines"),
            ("normalbae", "scannet.pt", 291_000_000, "MIT", "normal: NormalBae, learned on ScanNet"),
            (
                "openpose-body",
                "body_pose_model.pth",
                209_300_000,
                "OpenPose's, for research",
                "pose-openpose: its body",
            ),
        )
    ),
)
