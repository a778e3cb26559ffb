"""What every network of the package looks like from outside."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import torch
from torch import nn

HALF = (torch.bfloat16, torch.float16)


class VideoNetwork(nn.Module):
    """A network that sharpens a video, one frame after the other.

    Images are RGB in 0..1, (B, 3, H, W), and come back so, not clamped. H and W must be multiples of `multiple` and at
    least `minimum`; a stream pads them (see `vdeblur_fast.Deblurrer`).

    A subclass gives two steps, and everything else follows from them:

    * `encode(frame, state)`: once per frame, in order; what the frame is to itself and to its neighbours.
    * `decode(window, state)`: once per output; the entries of `past` frames, it and `future` frames -> its image.

    Both take and return a state of their own (None at the start), which only the network understands.

    `carriers`: patterns of the names of the parameters that carry the picture itself from the first to the last layer
    where a network starts from the identity.

    `precise`: names of the modules that add the picture itself to what the rest makes of it. They stay in float32 where
    the rest computes in half precision, for of a pixel bfloat16 keeps eight bits (see `compute_in`). Frames come in
    float32 then too: a subclass computes with `narrow(frame)`, and adds to the frame itself.

    `fine`: whether the picture itself passes through features all the way, so that the eight bits of bfloat16 are too
    few for them: what is nearly sharp would come out worse for it.

    `capturable`: whether the steps do the same whatever the values, so that a CUDA graph of them can be replayed.

    `halo`: how many pixels around a tile decide about the tile, so that large frames can be computed in tiles with the
    same result (see `tiling.tiled`); None where that is not possible, and `untiled` says why.
    """

    past: int = 0
    future: int = 0
    multiple: int = 1
    minimum: int = 1
    capturable: bool = True
    carriers: tuple[str, ...] = ()
    precise: tuple[str, ...] = ()
    fine: bool = False
    halo: int | None = None
    untiled: str = "no halo is known for it"

    def encode(self, frame: torch.Tensor, state: Any = None) -> tuple[Any, Any]:
        """frame (B, 3, H, W), state -> (entry, state)"""
        raise NotImplementedError

    def decode(self, window: Sequence[Any], state: Any = None) -> tuple[torch.Tensor, Any]:
        """window of past + 1 + future entries, state -> (image (B, 3, H, W), state)"""
        raise NotImplementedError

    def retire(self, entry: Any) -> Any:
        """What must be kept of an entry once its own image is out: all that its neighbours need."""
        return entry

    def chosen(self, state: Any) -> list[int] | None:
        """The neighbours of the last image, as offsets in frames, from the state that `decode` returned with it; None
        where the network always uses the whole window. Of several clips, those of any."""
        return None

    def limit(self, frames: int | None = None, lookahead: int | None = None) -> None:
        """Sets how many neighbours an image may use at most, and how many frames ahead they may lie (0 = causal).

        Raises ValueError where the network cannot do without its neighbours, which is the usual case.
        """
        asked = "frames" if frames is not None else "lookahead"
        raise ValueError(
            f"{asked}={frames if frames is not None else lookahead} cannot be had: {type(self).__name__} always uses "
            f"{self.past} frames before and {self.future} after; leave it out, or take gsta-net, which can choose"
        )

    def compute_in(self, dtype: torch.dtype, memory_format: torch.memory_format = torch.preserve_format) -> Self:
        """Converts the network to `dtype`, in half precision all but what is `precise`. Of clips in float32, which it
        takes then too, it gives back more than of clips in half precision."""
        apart = {name: getattr(self, name) for name in self.precise} if dtype in HALF else {}
        for name in apart:
            setattr(self, name, None)
        self.to(dtype=dtype, memory_format=memory_format)
        for name, part in apart.items():
            setattr(self, name, part.to(memory_format=memory_format))
        return self

    def narrow(self, x: torch.Tensor) -> torch.Tensor:
        """x in the type that the network computes in."""
        return x.to(next(self.parameters()).dtype)

    def forward(self, clip: torch.Tensor, ends: Literal["replicate", "valid"] = "replicate") -> torch.Tensor:
        """clip (B, T, 3, H, W) -> (B, T, 3, H, W), or (B, T - past - future, 3, H, W) with ends="valid", of its dtype:
        the network's, or float32.

        ends="valid" is what the papers do; with "replicate" the entries of the first and the last frame stand in for
        the missing neighbours.

        Raises ValueError for a clip of the wrong shape, and for ends="valid" on a clip shorter than the window;
        TypeError for one of another dtype, or on another device.
        """
        return self.decode_clip(self.encode_clip(clip), ends).to(clip.dtype)

    def encode_clip(self, clip: torch.Tensor) -> list[Any]:
        """clip (B, T, 3, H, W) -> the entries of its frames; the first half of `forward`."""
        self.check(clip)
        entries, state = [], None
        for frame in clip.unbind(1):
            entry, state = self.encode(frame, state)
            entries.append(entry)
        return entries

    def decode_clip(self, entries: Sequence[Any], ends: Literal["replicate", "valid"] = "replicate") -> torch.Tensor:
        """The entries of a clip -> its images, as `forward` gives them; the second half of it."""
        reach = self.past + 1 + self.future
        if ends == "valid" and len(entries) < reach:
            raise ValueError(f'ends="valid" needs clips of at least {reach} frames, got {len(entries)}')
        centres = range(self.past, len(entries) - self.future) if ends == "valid" else range(len(entries))
        images, state = [], None
        for centre in centres:
            image, state = self.decode(self.window(entries, centre), state)
            images.append(image)
        return torch.stack(images, 1)

    def steady_frame(self, frame: torch.Tensor) -> Callable[[], Any]:
        """A function that does the work of one frame in the middle of a video, all of them `frame`: encodes it, and
        decodes a whole window, both with what they remember. For counting and for measuring."""
        entry, before = self.encode(frame)
        window = self.still(entry, self.past + 1 + self.future)
        _, memory = self.decode(window)
        return lambda: (self.encode(frame, before), self.decode(window, memory))

    def still(self, entry: Any, frames: int) -> list[Any]:
        """The entries of so many frames that are all the same picture."""
        return [entry] * frames

    def window(self, entries: Sequence[Any], centre: int) -> list[Any]:
        """The entries around `centre`, the first and the last repeated where the clip ends."""
        last = len(entries) - 1
        return [entries[min(max(t, 0), last)] for t in range(centre - self.past, centre + self.future + 1)]

    def check(self, clip: torch.Tensor) -> None:
        if clip.dim() != 5 or clip.shape[2] != 3:
            raise ValueError(f"{type(self).__name__}: clip must be (B, T, 3, H, W), got {tuple(clip.shape)}")
        height, width = clip.shape[-2:]
        if height % self.multiple or width % self.multiple or min(height, width) < self.minimum:
            raise ValueError(
                f"{type(self).__name__}: height and width must be multiples of {self.multiple} and at least "
                f"{self.minimum}, got {height}x{width}; pad the clip, or use vdeblur_fast.Deblurrer, which does"
            )
        weight = next(self.parameters(), clip)
        elsewhere = clip.device != weight.device
        other = clip.dtype != weight.dtype and not (weight.dtype in HALF and clip.dtype == torch.float32)
        if elsewhere or (other and not torch.is_autocast_enabled(clip.device.type)):
            raise TypeError(
                f"{type(self).__name__}: the clip is {clip.dtype} on {clip.device}, the network {weight.dtype} on "
                f"{weight.device}; convert the clip with .to({str(weight.device)!r}, {weight.dtype})"
            )
