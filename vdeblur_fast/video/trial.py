"""A file that goes nowhere, to learn what its format takes."""

import os

import av

UNFIT = (av.FFmpegError, ValueError, LookupError, NotImplementedError)  # what says that a format has no such streams
DAMAGED = (av.ArgumentError, av.InvalidDataError)


class Trial:
    """Files of the format `form` with a copy of `stream` alone.

    A file of several streams keeps packets until it is their turn, so that a damaged one is complained of only when
    another is written, or at the end, where all that wait are lost with it. Here the answer comes at once.

    Raises one of UNFIT where such files cannot hold the stream; the muxer alone knows.
    """

    def __init__(self, form: str, stream):
        self._container = av.open(os.devnull, "w", format=form)
        self._target = self._container.add_stream_from_template(stream, opaque=True)
        self._container.start_encoding()

    def takes(self, packet) -> bool:
        """Whether the format takes a packet after those before it; counts its times as the format does."""
        packet.stream = self._target
        try:
            self._container.mux(packet)
        except DAMAGED:
            return False
        return True
