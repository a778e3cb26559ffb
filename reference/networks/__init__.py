"""The networks, one file per system, and their names."""

from .david import DAVID
from .estrnn import ESTRNN
from .frame_selection import EvaluationNetwork, FrameSelectionNetwork
from .gsta_net import GSTANet
from .mmp_net import MMPNet
from .mmp_rnn import MMPRNN
from .registry import build, networks
from .strcnn import STRCNN
from .video_network import VideoNetwork

__all__ = [
    "DAVID",
    "ESTRNN",
    "MMPRNN",
    "STRCNN",
    "EvaluationNetwork",
    "FrameSelectionNetwork",
    "GSTANet",
    "MMPNet",
    "VideoNetwork",
    "build",
    "networks",
]
