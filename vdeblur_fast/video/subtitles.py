"""Text subtitles in the coding that the output can hold."""

import av

TEXT_CODINGS = {"matroska": "subrip", "webm": "webvtt"} | dict.fromkeys(("mp4", "mov", "ipod", "3gp"), "mov_text")


class SubtitleConverter:
    """Decodes the text subtitles of `stream` and codes them for `output`, each at its own time.

    Raises LookupError where the subtitles are pictures, or the output holds no text.
    """

    def __init__(self, stream, output: av.container.OutputContainer):
        form = output.format.name
        name = TEXT_CODINGS.get(form)
        if not stream.codec_context.codec.text_sub or name is None:
            raise LookupError(f"{form} files hold no {stream.codec_context.name} subtitles")
        self._decoder = stream.codec_context
        self._decoder.open(strict=False)
        self.target = output.add_stream(name)
        self.target.time_base = stream.time_base
        self.target.codec_context.time_base = stream.time_base
        self.target.codec_context.subtitle_header = self._decoder.subtitle_header

    def convert(self, packet):
        """The packet in the new coding, or None where it has no text."""
        shown = self._decoder.decode2(packet)
        if shown is None or len(shown) == 0:
            return None
        coded = self.target.codec_context.encode_subtitle(shown)
        coded.pts, coded.dts, coded.duration = packet.pts, packet.pts, packet.duration
        coded.time_base = packet.time_base
        coded.is_keyframe = True
        return coded
