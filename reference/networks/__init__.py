"""The networks, one file per system, and their names."""

from .estrnn import ESTRNN
from .mmp_net import MMPNet
from .mmp_rnn import MMPRNN
from .registry import build, networks
from .video_network import VideoNetwork

__all__ = ["ESTRNN", "MMPRNN", "MMPNet", "VideoNetwork", "build", "networks"]
