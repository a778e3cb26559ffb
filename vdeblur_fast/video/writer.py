"""Frames and everything else of their source into a new video file."""

import contextlib
from fractions import Fraction
from pathlib import Path

import av

from vdeblur_fast.video.atomic import AtomicOutput
from vdeblur_fast.video.chapters import chapters_within
from vdeblur_fast.video.companions import Companions
from vdeblur_fast.video.encoding import VideoEncoder
from vdeblur_fast.video.errors import InputError, OutputError, output_error
from vdeblur_fast.video.formats import is_timeless, misfit, video_format
from vdeblur_fast.video.frame import Frame
from vdeblur_fast.video.side_data import LOST
from vdeblur_fast.video.source import open_input
from vdeblur_fast.video.tags import HOLD_NEGATIVE, container_tags, muxer_options, stream_tags
from vdeblur_fast.video.timecode import advanced

UNFIT = (av.ArgumentError, av.PermissionError, av.PatchWelcomeError)  # what muxers answer; the second is a bare -1
SRGB = b"sRGB", "sRGB".encode("utf-16-be")  # how ICC profiles name it
ASPECT_TOLERANCE = Fraction(3, 100)  # MPEG-2 and GIF round it


class VideoWriter:
    """Writes frames at their own times into a video file, with all that the source holds besides the video.

    path       where to; the container is chosen by the extension
    source     the reader whose frames (with other pictures) will be written
    codec      "h264" (default, where the container holds it), "hevc", "vp9", "av1", "ffv1", "prores" or
               another codec or encoder that PyAV has
    crf        quality of the encoder, lower is better; preset: its speed, by its own names
    pix_fmt    of the file; default: the depth and chroma of the source, as nearly as the encoder can
    size       (W, H) of the images, where they are not of the source's size
    overwrite  replace an existing file

    `write(frame)` for each frame, then `close()`; only then does the file appear. `abort()` leaves nothing
    behind. As a context manager it closes, or aborts on an exception. `warnings` holds a sentence for all
    that could not be kept.

    Raises OutputError where the file cannot be written.
    """

    def __init__(self, path, source, codec=None, crf=None, preset=None, pix_fmt=None, size=None, overwrite=False):
        self.path = Path(path)
        self.warnings: list[str] = []
        self._source = source
        self._size = size or (source.width, source.height)
        self._shift = self._earliest = Fraction(0)
        self._written = 0
        self._container = self._companions = None
        self._output = AtomicOutput(self.path, source.path, overwrite)
        try:
            self._container = self._open_container()
            self._video = VideoEncoder(self._container, source, self._size, codec, crf, preset, pix_fmt, self.warnings)
            self._add_everything_else()
        except BaseException:
            self.abort()
            raise

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        self.abort() if kind else self.close()

    def write(self, frame: Frame) -> None:
        """Encodes a frame whose image is (H, W, 3) uint8 or uint16 of the size the writer was made for."""
        size = (frame.image.shape[1], frame.image.shape[0])
        if size != self._size:
            raise ValueError(f"the writer was made for images of (W, H) = {self._size}, got {size}")
        with self._speaking():
            if not self._written:
                self._begin(frame)
            self._mux(self._video.encode(frame, frame.time - self._shift))
        self._say_left_out(frame)
        self._written += 1

    def _say_left_out(self, frame: Frame) -> None:
        """What an image may have and a video cannot; colours without a profile are taken as sRGB's."""
        name = self._source.path.name
        for what, lost in (
            (f"transparency of {name}", frame.alpha is not None),
            (f"colour profile of {name}", frame.profile is not None and not any(s in frame.profile for s in SRGB)),
            (f"EXIF data of {name} (date, camera)", frame.exif is not None),
        ):
            sentence = f"the {what} was left out"
            if lost and sentence not in self.warnings:
                self.warnings.append(sentence)

    def close(self) -> None:
        """Finishes the file and puts it in its place."""
        if self._container is None:
            return
        try:
            if not self._written:
                raise OutputError(f"no frame was written, so there is no {self.path}")
            with self._speaking():
                self._mux(self._video.flush())
                if self._companions:
                    self._companions.finish()
                self._container.close()
            self._container = None
            self.warnings += [LOST[kind].format(self._source.path.name) for kind in sorted(self._source.lost_kinds)]
            self._say_moved()
            self._say_reshaped()
            self._output.commit()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Leaves nothing behind."""
        self._output.discard()
        if self._companions:
            self._companions.close()
        if self._container is not None:
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
        self._container = None

    def _open_container(self):
        source = self._source
        temporary = str(self._output.temporary.absolute())  # absolute: a name may hold a colon
        form = video_format(temporary, self.path)
        tags = {} if source.is_images else container_tags(source.container_metadata)
        options = muxer_options(form, tags, source.time_base.denominator)
        container = av.open(temporary, "w", format=form, container_options=options)
        container.metadata.update(tags)
        self._format = form
        return container

    def _add_everything_else(self) -> None:
        if self._source.is_images:
            return
        stream = self._video.stream
        stream.metadata.update(stream_tags(self._source.stream_metadata, self._format))
        stream.disposition = self._source.disposition
        self._companions = Companions(self._source, self._container, self.warnings)
        self._companions.add()

    def _begin(self, first: Frame) -> None:
        """What depends on the time of the first frame: a video cut out of a longer one begins at zero."""
        span = self._source.span
        if span.start is not None:
            self._shift = first.time
            self._advance_timecodes(first.time - span.origin)
        if self._companions:
            with open_input(self._source.path) as container:
                chapters = chapters_within(container.chapters(), span, self._shift)
            self._container.set_chapters(chapters)
            self._companions.start(self._shift)
        try:
            self._container.start_encoding()
        except UNFIT as error:
            raise misfit(self._container, self._video.stream.codec_context.codec.canonical_name) from error

    def _advance_timecodes(self, seconds: Fraction) -> None:
        """The timecode of the source is that of its first frame, `seconds` before ours."""
        for tags in (self._container.metadata, *(stream.metadata for stream in self._container.streams)):
            for name in [name for name in tags if name.lower() == "timecode"]:
                old = tags.pop(name)
                if new := advanced(old, seconds, self._source.frame_rate):
                    tags[name] = new
                else:
                    self.warnings.append(f"the timecode {old!r} was left out, because it cannot be counted on from")

    def _mux(self, packets: list) -> None:
        for packet in packets:
            time = packet.dts * packet.time_base
            if self._companions:
                self._earliest = min(self._earliest, self._companions.pump(time))
            self._earliest = min(self._earliest, time)
            self._container.mux(packet)

    def _say_moved(self) -> None:
        if self._earliest < 0 and self._format not in HOLD_NEGATIVE and not is_timeless(self._format):
            self.warnings.append(
                f"everything in {self.path.name} comes {float(-self._earliest) * 1000:.0f} ms later "
                f"than in its source, because {self._format} files know no times before zero"
            )

    def _say_reshaped(self) -> None:
        """Some codings do not store the shape of the pixels, and Matroska's writer is not told it either."""
        wanted = self._video.aspect
        if not wanted or wanted == 1:
            return
        with contextlib.suppress(InputError), open_input(self._output.temporary) as written:
            found = written.streams.video[0].sample_aspect_ratio or 1
            if abs(found / wanted - 1) > ASPECT_TOLERANCE:
                self.warnings.append(
                    f"the shape of the pixels ({wanted.numerator}:{wanted.denominator}) was left out, "
                    "because this kind of file cannot store it with this codec; .mp4 files or the codec h264 can"
                )

    @contextlib.contextmanager
    def _speaking(self):
        """Turns what the system says about writing into one sentence."""
        try:
            yield
        except OSError as error:
            raise output_error(error, self.path) from error
        except av.FFmpegError as error:
            raise OutputError(f"{self.path} could not be written: {error.strerror}") from error
