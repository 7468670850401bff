"""What a picture track carries beside its pictures that no written file has: told before anything is rendered."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType

from vedit.media.reading.boxes import picture_boxes, picture_elements
from vedit.media.reading.decode import Decoder
from vedit.media.reading.source import side_data_of

if TYPE_CHECKING:
    from vedit.types import VideoMetadata

LOOKED_AT = 12
"""Frames in which it is looked for: captions need not begin with the first."""

SPHERE = "the projection of a 360 degree picture (sv3d)"
STEREO = "the stereo layout (st3d)"
SECOND_EYE = "the second eye (multiview)"
DOLBY = "Dolby Vision's data"
CROP = "the crop that players show"

_SIDE_DATA = {
    "SPHERICAL": SPHERE,
    "STEREO3D": STEREO,
    "VIEW_ID": SECOND_EYE,
    "DOVI_RPU_BUFFER": DOLBY,
    "DOVI_METADATA": DOLBY,
    "DYNAMIC_HDR_PLUS": "HDR10+ data",
    "DYNAMIC_HDR_VIVID": "HDR Vivid data",
    "A53_CC": "closed captions within the picture (CEA-608/708)",
    "AFD": "the active format description",
    "ICC_PROFILE": "the colour profile (ICC)",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient viewing environment",
    "LCEVC": "the enhancement layer (LCEVC)",
}
_BOXES = {
    "st3d": STEREO,
    "sv3d": SPHERE,
    "vexu": SECOND_EYE,
    "lhvC": SECOND_EYE,
    "mvcC": SECOND_EYE,
    "MVCC": SECOND_EYE,
    "dvcC": DOLBY,
    "dvvC": DOLBY,
    "dvwC": DOLBY,
    "hvcE": DOLBY,
    "avcE": DOLBY,
    "clap": f"{CROP} (clap)",
}


def lost_extras(metadata: VideoMetadata, *, muxer: str) -> list[str]:
    """What of a track is not kept, in words.

    Args:
        metadata: of the clip, which is no image sequence.
        muxer: of the result; Matroska keeps the arrangement of two eyes as a tag.
    """
    decoder = Decoder(metadata.path, metadata.stream_index, threads=False, rate=metadata.average_rate)
    try:
        videos = [stream.index for stream in decoder.stream.container.streams.video]
        told = dict(decoder.stream.metadata)
        found = [_SIDE_DATA[name] for name in _side_data(decoder) if name in _SIDE_DATA]
    finally:
        decoder.close()
    number = videos.index(metadata.stream_index)
    if "mov" in metadata.container:
        found += [_BOXES[name] for name in sorted(picture_boxes(metadata.path, number)) if name in _BOXES]
    if "matroska" in metadata.container:
        crop, mapped = picture_elements(metadata.path, number)
        found += [_BOXES[name] for name in sorted(mapped) if name in _BOXES]
        if crop:
            found.append(f"{CROP} ({', '.join(f'{side} {count}' for side, count in sorted(crop.items()))})")
    if muxer == "matroska" and "stereo_mode" in told:
        found = [what for what in found if what != STEREO]
    return list(dict.fromkeys(found))


def _side_data(decoder: Decoder) -> list[str]:
    """Names of the kinds of data that come with the first frames, those without meaning for the eye included."""
    names = {kind: name for name, kind in SideDataType.__members__.items()}
    found: dict[str, None] = {}
    with suppress(FFmpegError):
        for frame in islice(decoder, LOOKED_AT):
            for data in side_data_of(frame) or ():
                found[names.get(data.type, "")] = None
    return list(found)
