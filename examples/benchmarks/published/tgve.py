"""LOVEU-TGVE 2023 (Wu et al. 2023): 76 clips of 480x480, each with four prompts.

    FOLDER/LOVEU-TGVE-2023_Dataset.csv                       a line for each clip, under headings "DAVIS Videos:" ...
    FOLDER/DAVIS_480p/480p_frames/stunt/00000.jpg ...        frames, or FOLDER/DAVIS_480p/480p_videos/stunt.mp4
    OUT/DAVIS_480p/stunt/style/00000.jpg ...                 and object, background, multiple: the submission's folders

The scorer reads the CSV, so a copy of the sheet as .xlsx has to be saved as that CSV before anything is scored anyway;
vedit asks for it rather than read a second form of the same list. The scorer takes the sections by line numbers, this
file by their headings: the order of lines does not matter here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from published.item import Item, Need, Pictures, one_name, source_at
from published.placing import place, write_csv
from published.prompt_files import first_there, optional, read_entries
from vedit.errors import InputError

CLIP = "openai/clip-vit-large-patch14"
PICK, PICK_PROCESSOR = "yuvalkirstain/PickScore_v1", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
_TABLE = "LOVEU-TGVE-2023_Dataset.csv"
_SECTIONS = {"davis": "DAVIS_480p", "youtube": "youtube_480p", "videvo": "videvo_480p"}
_KINDS = {
    "style": "Style Change Caption",
    "object": "Object Change Caption",
    "background": "Background Change Caption",
    "multiple": "Multiple Changes Caption",
}
_FORM = Pictures(suffix=".jpg", first=0)


class TGVE:
    """TGVE's layout, as its repository's README and scripts/run_eval.py have it (October 2023)."""

    title = "LOVEU-TGVE 2023"
    scorer = (
        "python scripts/run_eval.py --data_path {folder} --submission_path {out} --metric clip_score_text "
        "(then clip_score_frame and pick_score)"
    )
    figures: Mapping[str, str] = {
        "clip_score_frame": "clip_frames",
        "clip_score_text": "clip_text",
        "pick_score": "pick_score",
    }
    needs: Sequence[Need] = (
        Need(name="CLIP ViT-L/14", size="1.7 GB", figures=("clip_score_frame", "clip_score_text"), repo=CLIP),
        Need(
            name="PickScore v1 (CLIP ViT-H/14)",
            size="3.9 GB",
            figures=("pick_score",),
            repo=PICK,
            processor=PICK_PROCESSOR,
        ),
    )

    def items(self, folder: Path) -> Iterator[Item]:
        """See `published.item.Layout`."""
        sheets = sorted(folder.glob("*.xlsx"))
        if sheets and not (folder / _TABLE).is_file():
            raise InputError(
                f"{sheets[0]} is a spreadsheet, and {self.title} is scored from a CSV",
                remedy=f"open it and save its sheet as {_TABLE} beside it",
            )
        section = ""
        for told, entry in read_entries(first_there(folder, (_TABLE,), whose=self.title)):
            video = optional(entry, "Video name")
            if video.endswith(":"):
                section = next((name for key, name in _SECTIONS.items() if video.lower().startswith(key)), "")
                continue
            prompts = {kind: optional(entry, column) for kind, column in _KINDS.items()}
            if not video or not any(prompts.values()):
                continue  # the sheet has empty lines between its sections
            video = one_name(video, told)
            place_of = section or _section_of(folder, video, told)
            base = folder / place_of
            source = source_at(base / "480p_videos" / f"{video}.mp4", base / "480p_frames" / video, told)
            for kind, prompt in prompts.items():
                if prompt:
                    yield Item(
                        name=f"{place_of}/{video}: {kind}",
                        source=source,
                        prompt=prompt,
                        source_prompt=optional(entry, "Our GT caption"),
                        place=(place_of, video, kind),
                        form=_FORM,
                        facts={"kind": kind},
                    )

    def write(self, item: Item, result: Path, out: Path) -> Path:
        """See `published.item.Layout`."""
        return place(item, result, out)

    def index(self, items: Sequence[Item], out: Path) -> Sequence[Path]:
        """The scorer reads nothing beside the pictures; it stops at the first clip that a run with --limit left out."""
        return ()

    def table(self, rows: Sequence[tuple[Item, Mapping[str, float]]], folder: Path) -> Sequence[Path]:
        """The leaderboard's line, for all prompts and for each kind: CLIP-F in per cent, CLIP-T and PickScore."""
        lines: list[dict[str, object]] = []
        for kind in ("all", *_KINDS):
            own = [found for item, found in rows if kind in ("all", item.facts["kind"])]
            line: dict[str, object] = {"prompts": kind, "count": len(own)}
            for name in self.figures:
                values = [found[name] for found in own if name in found]
                if values:
                    line[name] = f"{fmean(values) * (100 if name == 'clip_score_frame' else 1):.3f}"
            lines.append(line)
        measured = any(found for _, found in rows)
        return [write_csv(folder / "scores.csv", ["prompts", "count", *self.figures], lines)] if measured else []


def _section_of(folder: Path, video: str, told: str) -> str:
    """The folder that has a clip which stands under no heading."""
    for name in _SECTIONS.values():
        if (folder / name / "480p_frames" / video).is_dir() or (
            folder / name / "480p_videos" / f"{video}.mp4"
        ).is_file():
            return name
    raise InputError(
        f"{told} names {video}, which is in none of {', '.join(_SECTIONS.values())}",
        remedy="unpack the benchmark's frames there",
    )
