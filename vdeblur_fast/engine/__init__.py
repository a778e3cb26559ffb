"""A stream of frames in, a stream of frames out."""

from .deblurrer import Deblurrer

__all__ = ["Deblurrer"]
