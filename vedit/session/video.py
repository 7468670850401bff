"""A clip and its shots, to be edited shot by shot from Python:

    video = vedit.open_video("in.mp4")
    len(video), video[100], video[100:200:10]         # frames are numpy arrays, (H, W, 3), and are read when used
    video.shots                                       # shows itself as pictures in a notebook
    night = vedit.Edit("night", strength=0.8)
    video.shots[2].preview(night)
    video.render("out.mp4", {2: night})               # every other shot passes through, to the last bit

Frames are numbered from 0. Shots are numbered from 1: `video.shots[2]` is the shot that the key 2 of `render` means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, cast, overload

from vedit.checks.arguments import checked
from vedit.display.notebook import or_text, video_html
from vedit.edits.edit import plain_looks
from vedit.errors import OutOfRangeError, SettingError
from vedit.media.output import Interlaced, OutputOptions
from vedit.media.reading.read import Backend
from vedit.media.reading.read import open_video as open_reader
from vedit.media.reading.reader import VideoReader
from vedit.options.request import (
    AttentionBackend,
    Offload,
    Precision,
    QualityName,
    Quantize,
    RenderRequest,
    RestyleOptions,
)
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.render.outcome import RenderPlan, ignore_plan
from vedit.session.frames import Frames
from vedit.session.model_settings import ModelSettings, in_request, takes_model_settings
from vedit.session.previews import looks, stills
from vedit.session.shots import Edits, Preview, Shots, VideoShot, check_shots
from vedit.shots.detect import detect_shots
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.gallery.pictures import LookPictures
    from vedit.render.outcome import RenderResult
    from vedit.types import Clip, FrameIndex, IntFrames, VideoMetadata


@checked
def open_video(
    path: Path | str,
    *,
    seek: bool = True,
    rate: Fraction | int | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    backend: Backend = "pyav",
    shots: Sequence[Shot] | None = None,
) -> Video:
    """Open a clip, to read exact frames and to edit its shots. Raises MediaError where it cannot be read.

    It may be used as a context manager; without one it is closed when it is no longer used.

    Args:
        path: of the file, a still picture included; or `shot_%04d.png`, `shot_####.png`, or a folder of one image
            sequence.
        seek: reach frames by seeking; False always decodes from the first frame on.
        rate: frames per second of an image sequence, above 0 up to 1000; None is 25.
        track: number of the video stream, from 0, as `vedit probe` lists them; None is the film.
        allow_huge: read frames and clips beyond the limits of `vedit.media.reading.limits`.
        interlaced: "deinterlace" or "weave": what is done with the fields of interlaced material.
        backend: "pyav", "decord" or "auto": what decodes; see `vedit.media.reading.read.open_video`.
        shots: of the whole clip, without gap or overlap; None detects them when they are first asked for.
    """
    rate = None if rate is None else Fraction(rate)
    reader = open_reader(
        path, seek=seek, rate=rate, track=track, allow_huge=allow_huge, interlaced=interlaced, backend=backend
    )
    request = RenderRequest(
        source=Path(path),
        options=RestyleOptions(),
        rate=rate,
        track=track,
        allow_huge=allow_huge,
        writing=OutputOptions(interlaced=interlaced),
    )
    return Video(reader, request, shots)


@checked
class Video:
    """A clip: exact frames by number as `vedit.protocols.Reader` has them, its shots, and renders of them.

    Args:
        reader: of the clip.
        request: how it is read; its source, rate and limits hold for every render.
        shots: of the whole clip; None detects them.

    Raises:
        SettingError: the shots leave a gap or overlap.
    """

    def __init__(self, reader: VideoReader, request: RenderRequest, shots: Sequence[Shot] | None = None) -> None:
        self.reader = reader
        self._request = request
        if shots is not None:
            check_shots(shots)
        self._shots = None if shots is None else Shots(self, shots)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        metadata = self.metadata
        return f"<Video {metadata.path.name}, {metadata.width}x{metadata.height}>"

    def _repr_html_(self) -> str:
        """A frame of the clip beside what its headers say, for a notebook."""
        return or_text(self, lambda: video_html(self.reader))

    def __len__(self) -> int:
        return len(self.index())

    def __bool__(self) -> bool:
        return True  # a clip has frames; to count them would decode it

    def __iter__(self) -> Iterator[IntFrames]:
        return iter(self._frames())

    @overload
    def __getitem__(self, number: int) -> IntFrames: ...
    @overload
    def __getitem__(self, number: slice) -> Frames: ...

    def __getitem__(self, number: int | slice) -> IntFrames | Frames:
        """A frame as an array, (H, W, 3), or a slice of frames; see `Frames`. The first call decodes the whole file.

        Raises:
            OutOfRangeError: there is no such frame; an IndexError too.
        """
        return self._frames()[number]

    def _frames(self) -> Frames:
        return Frames(self, range(len(self)))

    def close(self) -> None:
        """Close the file; index and shots stay, and reading opens it again."""
        self.reader.close()

    @property
    def metadata(self) -> VideoMetadata:
        """What the headers say."""
        return self.reader.metadata

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the file."""
        return self.reader.warnings

    def index(self) -> FrameIndex:
        """The times of all frames; the first call decodes the whole file."""
        return self.reader.index()

    @checked
    def read(self, frames: FrameRange) -> Clip:
        """The frames of the range, exactly; see `VideoReader.read`."""
        return self.reader.read(frames)

    @checked
    def chunks(self, frames: FrameRange, size: int) -> Iterator[Clip]:
        """The range in clips of at most `size` frames."""
        return self.reader.chunks(frames, size)

    @property
    def shots(self) -> Shots:
        """The shots, by number from 1; the first call decodes the clip."""
        if self._shots is None:
            self._shots = Shots(self, detect_shots(self.reader))
        return self._shots

    @checked
    def plan(self, edits: Edits, output: Path | str | None = None) -> RenderPlan:
        """What `render` would do, with rough estimates; nothing is written."""
        from vedit.render import run as render

        return render.plan(self._with(edits, output), reader=self.reader)

    @checked
    def render(
        self,
        output: Path | str | None,
        edits: Edits,
        *,
        model: str = "embedded",
        controlnets: Mapping[str, str] | None = None,
        ip_adapter: str | None = None,
        image_encoder: str | None = None,
        motion_adapter: str | None = None,
        unet: str | None = None,
        device: str = "auto",
        precision: Precision = "auto",
        quantize: Quantize = "none",
        offload: Offload = "none",
        attention_backend: AttentionBackend = "auto",
        frames: str | None = None,
        writing: OutputOptions | None = None,
        overwrite: bool = False,
        keep_work: bool = False,
        keep_frames: bool = False,
        fresh: bool = False,
        side_by_side: Path | str | None = None,
        on_progress: OnProgress = ignore_progress,
        on_plan: Callable[[RenderPlan], None] = ignore_plan,
        on_note: Callable[[str], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> RenderResult:
        """Render the clip with an edit for some of its shots; the others equal the source's pixels before encoding.

        Args:
            output: the file to write; None is NAME.vedit.EXT beside the source.
            edits: a shot, or its number from 1 -> edit.
            model: a name from the list of models, a diffusers folder, a .safetensors file, or a hub id.
            controlnets: further control branches: kind -> folder, file or hub id.
            ip_adapter: what reads the pictures that edits take after: a .safetensors file, or one on the hub.
            image_encoder: the folder of what it looks at them with, or a hub id; None is one near it.
            motion_adapter: AnimateDiff's for the model: a folder, a .safetensors file, or a hub id.
            unet: a UNet in the place of the model's own, in GGUF.
            device: "auto", "cpu", "cuda" or "mps".
            precision: "auto", "float32", "float16" or "bfloat16": what the networks compute in.
            quantize: "none", "int8", "fp8", "int4" or "nf4": what the network's weights are held in.
            offload: "none", "model" or "group": what waits in host memory beside a GPU.
            attention_backend: "auto", "flash", "efficient", "cudnn" or "math": the kernel that computes attention.
            frames: START..END in seconds, timecode or #frame; None is the whole clip.
            writing: the written file: codec, preset, what may be left out.
            overwrite: replace a file that is there.
            keep_work: keep the sampled units, so that other output settings are quick.
            keep_frames: keep every shot's finished frames, so that changing one shot is quick.
            fresh: do not go on from what an earlier call has kept.
            side_by_side: also write source and result beside each other to this file.
            on_progress: told as frames pass the stages.
            on_plan: told what will be done before a model is loaded.
            on_note: told of what happens on the way.
            stop: asked between units; True ends the render there, and the same call goes on.

        Raises:
            InputError: it cannot be done; nothing was written.
            ContractError: the written file broke the timing or sound contract; it was removed.
            Interrupted: `stop` said so; what is finished is kept.
        """
        from vedit.render import run as render
        from vedit.render.sample_shot import ignore_note, never

        options = writing or self._request.writing
        request = replace(
            self._with(edits, output),
            model=model,
            controlnets=tuple((controlnets or {}).items()),
            ip_adapter=ip_adapter,
            image_encoder=image_encoder,
            motion_adapter=motion_adapter,
            unet=unet,
            device=device,
            precision=precision,
            quantize=quantize,
            offload=offload,
            attention_backend=attention_backend,
            frames=frames,
            writing=replace(
                options,
                overwrite=overwrite or options.overwrite,
                interlaced=self._request.writing.interlaced,
            ),
            keep_work=keep_work,
            keep_frames=keep_frames,
            fresh=fresh,
        )
        return render.restyle(
            request,
            reader=self.reader,
            on_progress=on_progress,
            on_plan=on_plan,
            on_note=on_note or ignore_note,
            stop=stop or never,
            side_by_side=None if side_by_side is None else Path(side_by_side),
        )

    @checked
    @takes_model_settings
    def stills(
        self,
        edits: Edits,
        numbers_of: Callable[[Shot], Sequence[int]],
        *,
        on_progress: OnProgress = ignore_progress,
        **settings: Unpack[ModelSettings],
    ) -> Iterator[Preview]:
        """Single frames of the edited shots, before and after, shot by shot; nothing is written.

        Args:
            edits: a shot, or its number from 1 -> edit.
            numbers_of: which frames of a shot, in ascending order.
            on_progress: told before each shot.
            settings: `model`, `device` and the like, as for `render`, which makes of them what is shown here.
        """
        request = replace(self._with(edits, None), **cast("Any", in_request(settings)))
        return stills(request, numbers_of, reader=self.reader, on_progress=on_progress)

    @checked
    def looks(
        self,
        of: Sequence[str] | str = (),
        *,
        at: int | str | None = None,
        quality: QualityName = "draft",
        model: str = "embedded",
        unet: str | None = None,
        device: str = "auto",
        precision: Precision = "auto",
        quantize: Quantize = "none",
        offload: Offload = "none",
        attention_backend: AttentionBackend = "auto",
        side: int | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> LookPictures:
        """One frame under many looks: `video.looks(["woodcut", "night"], at=100)["night"]` is an array (H, W, 3).

        Args:
            of: names of looks, or prompts; nothing is every look that the model lists.
            at: the number of the frame, or its moment as seconds, timecode or #frame; None is the middle of the clip.
            quality: "draft", "standard" or "high".
            model: as for `render`.
            unet: as for `render`.
            device: as for `render`.
            precision: as for `render`.
            quantize: as for `render`.
            offload: as for `render`.
            attention_backend: as for `render`.
            side: pixels of the pictures' longer side; None is the clip's size.
            on_progress: told of looks that are sampled, then finished.

        Raises:
            InputError: a look is not known, the frame is not in the clip, or it cannot be rendered.
        """
        if isinstance(at, int) and not -len(self) <= at < len(self):
            raise OutOfRangeError(f"there is no frame {at}", remedy=f"they are numbered from 0 to {len(self) - 1}")
        moment = f"#{at % len(self)}" if isinstance(at, int) else at
        request = replace(
            self._request,
            model=model,
            unet=unet,
            device=device,
            precision=precision,
            quantize=quantize,
            offload=offload,
            attention_backend=attention_backend,
        )
        names = [of] if isinstance(of, str) else of
        return looks(request, names, moment, quality, side=side, reader=self.reader, on_progress=on_progress)

    def _with(self, edits: Edits, output: Path | str | None) -> RenderRequest:
        return replace(
            self._request,
            looks=plain_looks(self._by_number(edits)),
            shots=self.shots.plain,
            output=None if output is None else Path(output),
        )

    def _by_number(self, edits: Edits) -> dict[int, RestyleOptions]:
        """The edits by numbers of shots. Raises SettingError for a shot of another clip or one that has two."""
        found: dict[int, RestyleOptions] = {}
        for key, edit in edits.items():
            if isinstance(key, VideoShot) and key not in list(self.shots):
                raise SettingError(f"{key!r} is no shot of this clip", remedy="take it from video.shots")
            number = key.number if isinstance(key, VideoShot) else key
            if number in found:
                raise SettingError(f"shot {number} has two edits", remedy="give it one")
            found[number] = edit
        return found
