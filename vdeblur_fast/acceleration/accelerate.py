"""A reference network made fast: the same interface, names and weights, with fused bodies inside."""

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from ..device import choose_precision
from ..modules import DTB, FUSED, RDB
from ..ops import why_not_fused
from ..ops.convolution import uses_winograd
from ..reference.networks import VideoNetwork
from .attending import attend_in_one_convolution
from .chains import is_hooked
from .folding import fold_batch_norms
from .fused_conv import FusedConv2d
from .gpu_convolutions import fuse_convolutions, have_a_body, lay_out_weights
from .graphs import capture_steps
from .joining import FusedJoiningConv2d, join_where_they_lie
from .outside import outside_of_blocks
from .phases import compute_in_phases
from .pooling import pool_otherwise
from .rectified import rectify
from .tiled import convolve_in_tiles
from .winograd import WinogradConvTranspose2d, filter_by_winograd

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

# On the CPU the bodies of these copy weights that are not contiguous, at each call.
NATIVE = (DTB, RDB, FusedJoiningConv2d, FusedConv2d, WinogradConvTranspose2d)


@dataclass(frozen=True)
class Acceleration:
    """What `accelerate` did to a network; `print` shows it.

    replaced: how many blocks of each kind run fused. left: what stays as it was, and why. folded: batch norms that
    their convolutions do. phased: convolutions to few channels that compute several pixels at once. rectified:
    convolutions that do the ReLU, or the sum and the ReLU, after them. filtered: convolutions by Winograd's method.
    tiled: convolutions by AMX's tiles where pictures are wide. joined: 1x1 convolutions of several pictures that are
    not concatenated. attended: ESTRNN's attention, done by the convolution after it. pooled: poolings as a maximum or a
    convolution. convolved: on a GPU, convolutions with what follows them in one kernel or one pass.
    """

    device: torch.device
    precision: torch.dtype
    memory_format: torch.memory_format
    replaced: dict[str, int]
    folded: int
    phased: int
    rectified: int
    filtered: int
    tiled: int
    joined: int
    attended: int
    pooled: int
    convolved: int
    left: dict[str, str]

    def __getstate__(self) -> dict[str, Any]:
        """With the name of the memory format, which itself has no pickle of the protocol that torch.save takes."""
        name = next(name for name, kind in MEMORY_FORMATS.items() if kind == self.memory_format)
        return vars(self) | {"memory_format": name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, memory_format=MEMORY_FORMATS[state["memory_format"]])

    def __str__(self) -> str:
        numbers = (str(kind).removeprefix("torch.") for kind in (self.precision, self.memory_format))
        lines = [f"on {self.device} in {', '.join(numbers)}"]
        lines += [f"  {kind:22} {count:3} fused" for kind, count in self.replaced.items()]
        lines += [f"  {'BatchNorm2d':22} {self.folded:3} folded"] if self.folded else []
        lines += [f"  {'Conv2d to few channels':22} {self.phased:3} in phases"] if self.phased else []
        lines += [f"  {'Conv2d before ReLU':22} {self.rectified:3} fused"] if self.rectified else []
        lines += [f"  {'Conv2d 3x3 and 5x5':22} {self.filtered:3} by Winograd's method"] if self.filtered else []
        lines += [f"  {'Conv2d 3x3 and 5x5':22} {self.tiled:3} by tiles of their own, if wide"] if self.tiled else []
        lines += [f"  {'Conv2d of several':22} {self.joined:3} without concatenation"] if self.joined else []
        lines += [f"  {'GSA':22} {self.attended:3} in the convolution after it"] if self.attended else []
        lines += [f"  {'MaxPool2d, AvgPool2d':22} {self.pooled:3} as maximum or convolution"] if self.pooled else []
        lines += [f"  {'Conv2d':22} {self.convolved:3} with what follows"] if self.convolved else []
        lines += [f"  {what:22} left: {reason}" for what, reason in self.left.items()]
        return "\n".join(lines)


def accelerate(
    network: nn.Module,
    precision: str = "auto",
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto",
    graphs: bool = True,
) -> nn.Module:
    """A copy of a network that gives the same and is made to run fast where its parameters are.

    Every block with a fused body (`GSTA`, `DTB`, `RDB`, `MMAM`, `AttentionMix`, `UpsampleConcat`) runs on it, batch
    norms are folded, ESTRNN's attention is done by the convolution after it, and the copy is in evaluation mode,
    without gradients. On a GPU of compute capability 8.0 or newer convolutions do their bias, the ReLU and the sum
    after them in one kernel or pass, and on any GPU steps are replayed from CUDA graphs. On the CPU convolutions do the
    ReLU after them, those of 1x1 concatenate nothing, those to few channels compute several pixels at once, and
    poolings are a maximum or a convolution; those of 3x3 and 5x5 use Winograd's method where that is faster (their
    transformed weights, four times as large, in bfloat16 fourteen, are kept beside them), or AMX's tiles for bfloat16
    where there are any. Its interface and state_dict are the network's, which is never changed; `.acceleration` says
    what was done. Weights are taken when the copy is made and when a state_dict is loaded into it; after any other
    change of them, accelerate anew.

    A module of an `nn.Sequential` does what comes after it where the chain calls it; to others it is what it was, and
    what has hooks, or a forward of its own, stays by itself.

    precision: "fp32", "bf16", "fp16" or "auto": of a `VideoNetwork` the fastest of the device; any other module, which
    takes what has the dtype of its weights, keeps the one that it has. In half precision a video network takes clips in
    float32 too, of which what adds the picture itself to the rest, which stays in float32, loses nothing.
    STRCNN's picture passes through its features, which every block rounds: to float32 it has 48 to 56 dB on real frames
    in bfloat16, the least where they are bright (plain PyTorch less), where other networks have 58 and more. So "auto"
    never is bfloat16 for STRCNN.
    memory_format: of weights and features; "auto" is channels last.
    graphs: replay steps from CUDA graphs, each of which keeps the memory of its step; not worth it where few frames
    have the same size, as tiles have not.

    Raises TypeError for what is no module, ValueError for an unknown memory format, DeviceError for an unknown
    precision.

        fast = vdeblur_fast.accelerate(network)
        print(fast.acceleration)
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"accelerate: network must be a torch.nn.Module, got {type(network).__name__}")
    if memory_format not in ("auto", *MEMORY_FORMATS):
        raise ValueError(
            f'accelerate: memory_format must be "auto", {", ".join(map(repr, MEMORY_FORMATS))}, got {memory_format!r}'
        )
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    kept = precision == "auto" and not isinstance(network, VideoNetwork)
    if kept:
        dtype = next((weight.dtype for weight in network.parameters() if weight.is_floating_point()), torch.float32)
    else:
        dtype = choose_precision(device, precision, getattr(network, "fine", False))
    layout = MEMORY_FORMATS["channels_last" if memory_format == "auto" else memory_format]
    fast = copy.deepcopy(network).eval().requires_grad_(False)
    folded = fold_batch_norms(fast)
    like = torch.empty(0, device=device, dtype=dtype)
    # Measured on CPUs: in float32, and in bfloat16 where there are bodies for it.
    wide = device.type == "cpu" and dtype == torch.float32
    native = device.type == "cpu" and not why_not_fused(like, only="cpu")
    winograd = native and uses_winograd(dtype)
    rectified = rectify(fast, dtype) if device.type == "cpu" else 0
    on_gpu = have_a_body(like)
    convolved = fuse_convolutions(fast) if on_gpu else 0
    phased = compute_in_phases(fast) if wide or native else 0
    filtered = filter_by_winograd(fast, dtype) if winograd else 0
    tiled = convolve_in_tiles(fast) if native and not winograd else 0
    if isinstance(fast, VideoNetwork):
        fast.compute_in(dtype, layout)
    else:
        fast.to(dtype=None if kept else dtype, memory_format=layout)
    attended = attend_in_one_convolution(fast)
    pooled = pool_otherwise(fast) if device.type == "cpu" else 0
    joined = join_where_they_lie(fast, dtype) if native else 0
    replaced, left = _fuse(fast, like)
    for module in outside_of_blocks(fast):
        if device.type == "cpu" and isinstance(module, NATIVE):
            module.to(memory_format=torch.contiguous_format)
    if on_gpu:
        lay_out_weights(fast)
    left |= capture_steps(fast, device) if graphs else {}
    done = folded, phased, rectified, filtered, tiled, joined, attended, pooled, convolved
    fast.acceleration = Acceleration(device, dtype, layout, replaced, *done, left)
    return fast


def _fuse(network: nn.Module, like: torch.Tensor) -> tuple[dict[str, int], dict[str, str]]:
    """Gives every block that has one its fused body -> how many of each kind have theirs, and which stay and why.

    A fused module is its reference module with another forward, so a block changes by changing its class.
    """
    replaced, left = Counter(), {}
    for module in network.modules():
        fused = FUSED.get(type(module), type(module))
        if fused not in FUSED.values():
            continue
        reason = why_not_fused(like)
        if type(module) in FUSED and is_hooked(*module.modules()):
            reason = "where it, or what it calls, has hooks or a forward of its own"
        if reason:
            left[fused.__name__] = reason
        else:
            module.__class__ = fused
            replaced[fused.__name__] += 1
    return dict(replaced), left
