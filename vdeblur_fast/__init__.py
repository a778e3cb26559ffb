"""Fast video deblurring: a blurry video goes in, a sharp one comes out.

vdeblur run in.mp4 out.mp4                          # the command
vdeblur_fast.Deblurrer("mmp-rnn-tiny").stream(...)  # frames in, frames out
vdeblur_fast.build("mmp-rnn-a9b10c18")              # a network, in plain PyTorch
vdeblur_fast.GSTA(channels=64)                      # gated spatio-temporal attention, fused
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from .acceleration import accelerate
    from .engine import Deblurrer
    from .memory import keep_memory
    from .modules import DTB, GSTA, MMAM, RDB, AttentionMix, FrameSummary
    from .ops import explain, use_backend
    from .reference.networks import build, networks
    from .weights import convert

__all__ = [
    "DTB",
    "GSTA",
    "MMAM",
    "RDB",
    "AttentionMix",
    "Deblurrer",
    "FrameSummary",
    "UserError",
    "__version__",
    "accelerate",
    "build",
    "convert",
    "explain",
    "keep_memory",
    "networks",
    "use_backend",
]

# Fetched when first asked for: what needs no torch (vdeblur --help, the errors) should not wait for it.
_HOME = {
    "AttentionMix": ".modules",
    "DTB": ".modules",
    "Deblurrer": ".engine",
    "FrameSummary": ".modules",
    "GSTA": ".modules",
    "MMAM": ".modules",
    "RDB": ".modules",
    "accelerate": ".acceleration",
    "build": ".reference.networks",
    "convert": ".weights",
    "explain": ".ops",
    "keep_memory": ".memory",
    "networks": ".reference.networks",
    "use_backend": ".ops",
}
_PACKAGES = ("inspection", "ops", "reference", "training", "weights")

try:
    __version__ = version("vdeblur-fast")
except PackageNotFoundError:  # the source tree on sys.path, not installed
    __version__ = "unknown"


def __getattr__(name: str):
    if name in _PACKAGES:
        return import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
