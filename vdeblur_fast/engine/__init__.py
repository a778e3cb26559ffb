"""A stream of frames in, a stream of frames out."""

from .deblurrer import Deblurrer, build_video_network

__all__ = ["Deblurrer", "build_video_network"]
