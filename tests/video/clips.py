"""Makes the small files that the tests read, with every property of a video that has to survive."""

from fractions import Fraction

import av
import numpy as np

from vdeblur_fast.video.planes import empty_frame, get_planes, layout

CHAPTERS = [
    {"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
    {"id": 2, "start": 400, "end": 800, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
]


def picture(index: int, width: int, height: int, top: int = 255) -> np.ndarray:
    """(height, width, 3) smooth colours that move with `index`, 0..top."""
    y, x = np.mgrid[0:height, 0:width] / 24.0
    waves = np.stack((np.sin(x + index / 3), np.cos(y - index / 4), np.sin((x + y) / 2 + index / 5)), -1)
    return np.round((0.5 + 0.4 * waves) * top).astype(np.uint8 if top == 255 else np.uint16)


def yuv_frame(index: int, width: int, height: int, pix_fmt: str) -> av.VideoFrame:
    """A frame of a planar format whose planes move with `index`, inside the limited range."""
    form = layout(pix_fmt)
    step = 2 ** (form.bits - 8)
    frame = empty_frame(pix_fmt, width, height)
    for number, plane in enumerate(get_planes(frame, form)):
        y, x = np.mgrid[0 : plane.shape[0], 0 : plane.shape[1]] / 12.0
        wave = np.sin(x + index / 3 + number) * np.cos(y - index / 4)
        middle, swing = (125, 50) if number == 0 else (128, 25)
        plane[:] = np.round((middle + swing * wave) * step)
    return frame


def make_video(
    path,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate=Fraction(25),
    time_base=None,
    times: list[int] | None = None,
    durations: list[int] | None = None,
    audio: tuple[str, ...] = (),
    audio_start: int = 0,
    audio_seconds: float | None = None,
    subtitles: str | None = None,
    chapters: bool = False,
    metadata: dict | None = None,
    video_metadata: dict | None = None,
    rotation: int | None = None,
    colour: dict | None = None,
    options: dict | None = None,
    attachment: bool = False,
    aspect: Fraction | None = None,
    muxer: dict | None = None,
) -> None:
    """Writes a video file; `times` are the time stamps of its frames in `time_base`, `audio` encoders.

    audio_seconds: how long it sounds, where not as long as the picture.
    """
    base = Fraction(time_base or 1 / Fraction(rate))
    step = round(1 / (rate * base))
    times = times or [index * step for index in range(frames)]
    with av.open(str(path), "w", container_options=muxer or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, time_base=base)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream.codec_context.options |= options or {}
        stream.metadata.update(video_metadata or {})
        for name, value in (colour or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        sounds = [_add_sound(container, name, index) for index, name in enumerate(audio)]
        words = _add_words(container, subtitles) if subtitles else None
        if attachment:
            container.add_attachment("font.ttf", "application/x-truetype-font", bytes(range(256)) * 4)
        if chapters:
            container.set_chapters(CHAPTERS)
        if words:
            _write_words(container, words)
        lengths = {}
        for index, time in enumerate(times):
            frame = yuv_frame(index, *size, pix_fmt)
            frame.pts, frame.time_base = time, base
            lengths[time] = durations[index] if durations else step
            _mux(container, stream.encode(frame), lengths)
        _mux(container, stream.encode(None), lengths)
        seconds = audio_seconds or float((times[-1] + lengths.get(times[-1], step)) * base)
        for sound in sounds:
            _write_sound(container, sound, seconds, audio_start)


def _mux(container, packets, lengths) -> None:
    for packet in packets:
        packet.duration = lengths.get(packet.pts, packet.duration)
        container.mux(packet)


def _add_sound(container, codec: str, index: int):
    stream = container.add_stream(codec, rate=48000)
    stream.layout = "mono"
    stream.metadata["language"] = ("eng", "deu", "fra")[index]
    return stream


def _write_sound(container, stream, seconds: float, start: int) -> None:
    count = round(seconds * 48000)
    wave = 0.3 * np.sin(np.arange(count) * (0.05 + 0.01 * stream.index))
    kind = stream.format.name
    for begin in range(0, count, 960):
        piece = wave[begin : begin + 960][None]
        piece = piece.astype(np.float32) if "flt" in kind else (piece * 30000).astype(np.int16)
        if kind == "s32":
            piece = piece.astype(np.int32) << 16
        frame = av.AudioFrame.from_ndarray(piece, format=kind, layout="mono")
        frame.sample_rate = 48000
        frame.pts, frame.time_base = start + begin, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _add_words(container, codec: str):
    stream = container.add_stream(codec)
    stream.codec_context.subtitle_header = (
        b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        b"Style: Default,Arial,16\n\n[Events]\n"
        b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    )
    stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "eng"
    return stream


def _write_words(container, stream) -> None:
    for index, (begin, length) in enumerate(((40, 160), (280, 120))):
        text = f"{index},0,Default,,0,0,0,,Word {index}".encode()
        words = av.subtitles.subtitle.SubtitleSet.create(text, 0, length, begin)
        packet = stream.codec_context.encode_subtitle(words)
        packet.stream = stream
        packet.pts = packet.dts = begin
        packet.duration, packet.time_base = length, Fraction(1, 1000)
        container.mux(packet)


def times_of(path) -> list[Fraction]:
    """The presentation times (s) of the frames of a video file, read by PyAV alone."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in container.decode(stream)]


def packets_of(path, kind: str = "audio") -> list[list[tuple[Fraction, bytes]]]:
    """(time, bytes) of every packet, for each stream of a kind."""
    with av.open(str(path)) as container:
        found = []
        for stream in container.streams:
            if stream.type == kind:
                with av.open(str(path)) as again:
                    mine = again.streams[stream.index]
                    found.append([(p.pts * mine.time_base, bytes(p)) for p in again.demux(mine) if p.size])
        return found
