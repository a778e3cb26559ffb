"""Fast video deblurring: a blurry video goes in, a sharp one comes out.

    vdeblur run in.mp4 out.mp4                          # the command
    vdeblur_fast.Deblurrer("mmp-rnn-tiny").stream(...)  # frames in, frames out
    vdeblur_fast.build("mmp-rnn-a9b10c18")              # a network, in plain PyTorch
"""

from importlib.metadata import PackageNotFoundError, version

from .engine import Deblurrer
from .errors import UserError
from .reference.networks import build, networks

__all__ = ["Deblurrer", "UserError", "__version__", "build", "networks"]

try:
    __version__ = version("vdeblur-fast")
except PackageNotFoundError:  # the source tree on sys.path, not installed
    __version__ = "unknown"
