"""FiVE-Bench (Li et al. 2025, ICCV): six kinds of fine-grained edits on 100 short clips, 420 pairs of prompts.

    FOLDER/edit_prompt/edit1_FiVE.json ... edit6_FiVE.json     prompts; [brackets] mark the words that differ
    FOLDER/images/0001_bus/00001.jpg ...                       frames, or FOLDER/videos/0001_bus.mp4
    FOLDER/bmasks/0001_bus/00001.jpg ...                       where the edit is
    OUT/0001_bus/1_PROMPT/00001.jpg ...                        what the scorer reads, OUT being the method's folder

PROMPT is the target prompt, cut to the length that `save_dir` leaves for it: the scorer makes the name from the prompt
and not from `save_dir` itself. The scorer skips clips without masks, takes every eighth frame and resizes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from published.item import Item, Need, Pictures, one_name, picture_files, source_at
from published.placing import place, write_csv
from published.prompt_files import read_entries, word
from vedit.errors import InputError

STRIDE = 8
CLIP = "openai/clip-vit-large-patch14"
STRUCTURE = ("structure_distance", "structure_ssim", "edge_correlation")
_PROMPTS = "edit_prompt"
_FORM = Pictures(suffix=".jpg", first=1)
_SCALES = {
    "structure_distance": 1e3,
    "lpips_unedit_part": 1e3,
    "mse_unedit_part": 1e4,
    "ssim_unedit_part": 1e2,
}
"""What the scorer multiplies its means by."""


class Five:
    """FiVE-Bench's layout, as its repository's README and evaluation/evaluate.py have it (August 2025)."""

    title = "FiVE-Bench"
    scorer = (
        "in its evaluate.py list this method as (OUT's own path, '') in all_tgt_video_folders, then: "
        "python evaluation/evaluate.py --src_image_folder {folder} --tgt_methods vedit"
    )
    figures: Mapping[str, str] = {
        "structure_distance": "",
        "psnr_unedit_part": "psnr_outside",
        "lpips_unedit_part": "",
        "mse_unedit_part": "mse_outside",
        "ssim_unedit_part": "ssim_outside",
        "clip_similarity_source_image": "clip_source",
        "clip_similarity_target_image": "clip_text",
        "clip_similarity_target_image_edit_part": "clip_text_inside",
        "niqe_target_image": "",
        "motion_fidelity_score": "",
        "motion_fidelity_score_edit_part": "",
        **dict.fromkeys((f"five_acc{end}" for end in ("_yes_no", "_multi_choice", "_union", "_inter", "")), ""),
    }
    needs: Sequence[Need] = (
        Need(name="DINO ViT-B/8 (torch hub)", size="0.3 GB", figures=("structure_distance",), beside=STRUCTURE),
        Need(
            name="CLIP ViT-L/14",
            size="1.7 GB",
            figures=(
                "clip_similarity_source_image",
                "clip_similarity_target_image",
                "clip_similarity_target_image_edit_part",
            ),
            repo=CLIP,
            beside=("clip_text",),
        ),
        Need(name="LPIPS, SqueezeNet", size="5 MB", figures=("lpips_unedit_part",), beside=("outside_ssim",)),
        Need(name="pyiqa (NIQE)", size="", figures=("niqe_target_image",)),
        Need(
            name="CoTracker3 scaled_offline.pth",
            size="0.1 GB",
            figures=("motion_fidelity_score", "motion_fidelity_score_edit_part"),
            beside=("motion_error",),
        ),
        Need(
            name="Qwen2.5-VL-7B-Instruct",
            size="16 GB",
            figures=tuple(f"five_acc{end}" for end in ("_yes_no", "_multi_choice", "_union", "_inter", "")),
        ),
    )
    method = "vedit"
    """The scorer's tables call it so."""

    def items(self, folder: Path) -> Iterator[Item]:
        """See `published.item.Layout`."""
        files = sorted((folder / _PROMPTS).glob("edit*_FiVE.json"))
        if not files:
            raise InputError(
                f"{folder / _PROMPTS} has no edit1_FiVE.json to edit6_FiVE.json, the prompt files of {self.title}",
                remedy="name the folder that holds edit_prompt, images and bmasks",
            )
        for path in files:
            for number, (told, entry) in enumerate(read_entries(path)):
                video = one_name(word(entry, "video_name", told), told)
                kind, target = word(entry, "editing_type_id", told), word(entry, "target_prompt", told)
                room = len(word(entry, "save_dir", told)) - len("1_")
                masks = folder / "bmasks" / video
                yield Item(
                    name=f"{path.stem.partition('_')[0]} {number}: {video}",
                    source=source_at(folder / "videos" / f"{video}.mp4", folder / "images" / video, told),
                    prompt=_plain(target),
                    source_prompt=_plain(word(entry, "source_prompt", told)),
                    place=(video, one_name(f"{kind}_{target[: max(room, 0)]}", told)),
                    form=_FORM,
                    mask=masks if picture_files(masks) else None,
                    facts={"file": path.stem, "file_id": str(number)},
                )

    def write(self, item: Item, result: Path, out: Path) -> Path:
        """See `published.item.Layout`."""
        return place(item, result, out)

    def index(self, items: Sequence[Item], out: Path) -> Sequence[Path]:
        """The scorer reads nothing beside the pictures."""
        return ()

    def table(self, rows: Sequence[tuple[Item, Mapping[str, float]]], folder: Path) -> Sequence[Path]:
        """The scorer's tables: one for each prompt file, its means with the scorer's factors, the means of those."""
        columns = {name: f"{self.method}|{name}" for name in self.figures}
        files: list[Path] = []
        means: list[dict[str, float]] = []
        for stem in dict.fromkeys(item.facts["file"] for item, _ in rows):
            own = [(item, found) for item, found in rows if item.facts["file"] == stem]
            table = [{"file_id": item.facts["file_id"], **_told(found, columns)} for item, found in own]
            name = f"{stem}_evaluation_result_frame_stride{STRIDE}"
            files.append(write_csv(folder / f"{name}.csv", ["file_id", *columns.values()], table))
            means.append(_means([found for _, found in own], {key: _SCALES.get(key, 1.0) for key in columns}))
            files.append(_averages(folder / f"{name}_avg.csv", means[-1], columns))
        if means:
            files.append(_averages(folder / "final_averaged_results.csv", _means(means, {}), columns))
        return files


def _plain(prompt: str) -> str:
    return re.sub(r"[\[\]]", "", prompt).strip()


def _told(found: Mapping[str, float], columns: Mapping[str, str]) -> dict[str, object]:
    return {column: found.get(name, "nan") for name, column in columns.items()}


def _means(rows: Sequence[Mapping[str, float]], scales: Mapping[str, float]) -> dict[str, float]:
    """The mean of each figure over those that have it, times its factor."""
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: scales.get(name, 1.0) * sum(every) / len(every) for name, every in values.items()}


def _averages(path: Path, means: Mapping[str, float], columns: Mapping[str, str]) -> Path:
    row = {column: f"{means[name]:.4f}" if name in means else "N/A" for name, column in columns.items()}
    return write_csv(path, list(columns.values()), [row])
