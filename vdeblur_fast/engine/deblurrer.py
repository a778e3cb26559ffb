"""The door to the engine: frames in, sharp frames out."""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import Literal

import torch
from torch.nn.functional import interpolate, pad

from .. import weights as shipped
from ..acceleration import accelerate as accelerated
from ..defaults import DEFAULT_NETWORK, ENSEMBLES, MOST_STRENGTH
from ..device import choose_device, choose_precision
from ..errors import UnknownNetwork, UnsupportedByNetwork
from ..reference.networks import VideoNetwork, build, networks
from ..reference.networks.tiling import tiled
from .frame_format import Frame, FrameFormat, ordinary
from .scene import Scene
from .scene_cut import SceneCutDetector
from .self_ensemble import mean_of_views, views
from .windowed_scene import WindowedScene


class Deblurrer:
    """Sharpens a video frame by frame, in bounded memory.

    Every frame that goes in comes out, in order, in the type, dtype, layout, size and device it came in: numpy array or
    torch tensor, (H, W, 3) or (3, H, W), RGB, uint8, uint16 (full scale 65535) or floating point in 0..1.
    Floating-point images come back unclamped. Any size works; a frame that is 3 by 3 pixels is taken as (H, W, 3)
    where it is an array.

    network: a name of `vdeblur_fast.networks()`, or a `VideoNetwork` of yours, which is copied and never changed.
    weights: a .safetensors file; None takes the weights that ship for a name, and a module's own.
    device: "auto", "cpu", "cuda", "cuda:1". precision: "auto" (what is fastest on the device, of
    STRCNN but for bf16, which is too coarse for it), "fp32", "bf16", "fp16".
    strength: 1 is the network's image, 0 the source, between them a blend; up to 2 adds more of what the network
    changed, which looks sharper and is further from the truth.
    shrink: work on frames so many times smaller, by the mean of their pixels, and add what changes to the source: for
    blur longer than a network has learned (tens of pixels) and for compression blocks, where little finer than that is
    left; the network has shrink ** 2 times less to do.
    ensemble: 2 or 4 give the mean of what the network makes of a frame and of one or three of its mirror images
    (self-ensemble; Lim et al., EDSR, 2017): nearer to the truth, for as many times the work and memory. 1: the frame
    alone.
    scene_cuts: start afresh where the picture jumps to another scene (a change of size always does).
    mode: "stream" carries the state over the whole scene; "windows" runs windows of `window` frames that share
    `overlap` and know nothing of each other, as the papers evaluate: slower, later, for comparison. None is 20 and 4,
    or more where the network's neighbours need more.
    frames, lookahead: how many neighbours an image may use at most, and how many frames ahead they may lie (0 is
    causal); for networks that can do with any, such as gsta-net. None leaves both to the network.
    tile: compute in tiles of so many pixels, to need less memory; the result is the same.
    on_choice: called with each finished frame's number, from 0, and the numbers of the frames that it was made of,
    itself not among them. What a recurrent network remembers beyond them is not told.
    accelerate: run fused bodies where there are some (`vdeblur_fast.accelerate`); `.network.acceleration` names them.

    One Deblurrer is for one video at a time, in one thread. `latency` frames must follow a frame before it comes out
    (2 for MMP-RNN and ESTRNN; a window in the windowed mode).

    Raises UnknownNetwork, WeightsError, DeviceError, UnsupportedByNetwork (all UserError), and ValueError or TypeError
    for an argument or a frame that is not as described.

    Equivalent to, for one scene of frames of a friendly size:
        network(clip[None])[0]
    """

    def __init__(
        self,
        network: str | VideoNetwork = DEFAULT_NETWORK,
        weights: str | Path | None = None,
        *,
        device: str | torch.device = "auto",
        precision: str = "auto",
        strength: float = 1.0,
        shrink: int = 1,
        ensemble: int = 1,
        scene_cuts: bool = True,
        mode: Literal["stream", "windows"] = "stream",
        window: int | None = None,
        overlap: int | None = None,
        accelerate: bool = True,
        frames: int | None = None,
        lookahead: int | None = None,
        tile: int | None = None,
        on_choice: Callable[[int, list[int]], None] | None = None,
    ):
        counts = {"frames": frames, "lookahead": lookahead, "tile": tile, "window": window, "overlap": overlap}
        for name, number in counts.items():
            if number is not None and not isinstance(number, Integral):
                raise ValueError(f"{name} must be a whole number, got {number!r}")
        if not (isinstance(strength, Real) and 0 <= strength <= MOST_STRENGTH):
            raise ValueError(
                f"strength must be between 0 (the source) and {MOST_STRENGTH:g} (twice the effect), got {strength!r}"
            )
        if not (isinstance(shrink, Integral) and shrink >= 1):
            raise ValueError(f"shrink must be a whole number from 1 on (1 keeps the frames' size), got {shrink}")
        if not (isinstance(ensemble, Integral) and ensemble in ENSEMBLES):
            raise ValueError(
                f"ensemble must be one of {', '.join(map(str, ENSEMBLES))} (views of a frame), got {ensemble}"
            )
        if mode not in ("stream", "windows"):
            raise ValueError(f'mode must be "stream" or "windows", got {mode!r}')
        self.device = choose_device(device)
        self.strength, self.shrink, self.ensemble = float(strength), shrink, ensemble
        self.network = _prepare(network, weights).to(self.device).eval().requires_grad_(False)
        _limit(self.network, frames, lookahead)
        if accelerate:
            self.network = accelerated(self.network, precision, graphs=tile is None)
            self.precision = self.network.acceleration.precision
        else:
            self.precision = choose_precision(self.device, precision, self.network.fine)
            self.network.compute_in(self.precision, torch.channels_last)
        served = self.network if tile is None else _in_tiles(self.network, tile)
        overlap = max(4, served.past + served.future) if overlap is None else int(overlap)
        window = max(20, overlap + 16) if window is None else int(window)
        self.latency = served.future if mode == "stream" else window
        if mode == "stream":
            self._new_scene = lambda: Scene(served)
        else:
            self._new_scene = lambda: WindowedScene(served, window, overlap)
        self._new_scene()  # complains of a wrong window now, not at the first frame
        self._detect_cuts = scene_cuts
        self._on_choice = on_choice
        self._streaming = False
        self._restart()

    def push(self, frame: Frame) -> list[Frame]:
        """Takes the next frame and returns those that are finished, oldest first; often none or one.

        A frame that is not as described is refused, and nothing else happens. After any other failure (too little
        memory, Ctrl-C) the frames still due are dropped, and the next one is the first of another video.
        """
        format_ = FrameFormat.of(frame)
        with torch.inference_mode():
            source = format_.to_tensor(frame, self.device)
        try:
            with torch.inference_mode():
                finished = self._push(format_, source)
            return ordinary(finished)
        except BaseException:  # the frames that wait may no longer be those whose images come next
            self._restart()
            raise

    def flush(self) -> list[Frame]:
        """Returns the frames still due, and makes ready for another video, also where it fails."""
        try:
            with torch.inference_mode():
                finished = self._finish_scene()
            return ordinary(finished)
        finally:
            self._restart()

    def stream(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The sharp version of every frame, as soon as it is finished. Left early, it drops the frames still due.

        Raises RuntimeError while another stream of this Deblurrer, in this thread or another, has not ended."""
        if self._streaming:
            raise RuntimeError("Deblurrer: another stream has not ended; end or close it, or make a second Deblurrer")
        self._streaming = True
        video = self._cuts  # there are others once it has ended
        try:
            for frame in frames:
                yield from self.push(frame)
            yield from self.flush()
        finally:
            self._streaming = False
            if self._cuts is video:
                self._restart()

    def _push(self, format_: FrameFormat, source: torch.Tensor) -> list[Frame]:
        finished = self._finish_scene() if self._begins_scene(source) else []
        small = self._small(source)
        self._pending.append((format_, source, small))
        frame = views(self._padded(small), self.ensemble)
        return finished + [self._finish(image) for image in self._scene.push(frame)]

    def _restart(self) -> None:
        self._scene = self._new_scene()
        self._number = 0  # of the frame that is finished next
        self._size: torch.Size | None = None  # of the frame before, as it came
        self._cuts = SceneCutDetector()
        self._pending: deque[tuple[FrameFormat, torch.Tensor, torch.Tensor]] = deque()

    def _begins_scene(self, source: torch.Tensor) -> bool:
        cut = self._cuts.is_cut(source) if self._detect_cuts else False
        resized = self._size not in (None, source.shape)
        self._size = source.shape
        return cut or resized

    def _finish_scene(self) -> list[Frame]:
        finished = [self._finish(image) for image in self._scene.flush()]
        self._scene = self._new_scene()
        return finished

    def _finish(self, image: torch.Tensor) -> Frame:
        format_, source, small = self._pending.popleft()
        if self._on_choice:
            self._on_choice(self._number, [self._number + offset for offset in self._scene.chosen])
        self._number += 1
        height, width = small.shape[-2:]
        sharp = mean_of_views(image)[..., :height, :width].float()
        if self.shrink > 1:
            sharp = source + interpolate(sharp - small, source.shape[-2:], mode="bicubic")
        return format_.to_frame(torch.lerp(source, sharp, self.strength) if self.strength != 1 else sharp)

    def _small(self, source: torch.Tensor) -> torch.Tensor:
        if self.shrink == 1:
            return source
        return interpolate(source, [-(-side // self.shrink) for side in source.shape[-2:]], mode="area")

    def _padded(self, source: torch.Tensor) -> torch.Tensor:
        """Repeats the last row and column up to a size that the network can take."""
        rows, columns = (self._friendly(side) - side for side in source.shape[-2:])
        x = pad(source, [0, columns, 0, rows], mode="replicate") if rows or columns else source
        return x.to(memory_format=torch.channels_last)

    def _friendly(self, side: int) -> int:
        multiple = self.network.multiple
        return -(-max(side, self.network.minimum) // multiple) * multiple


def build_video_network(name: str) -> VideoNetwork:
    """A network by its name, with random weights. Raises UnknownNetwork for one that cannot sharpen a video."""
    if name not in networks():
        raise UnknownNetwork(f"unknown network {name!r}; choose one of {', '.join(networks())}")
    module = build(name)
    if not isinstance(module, VideoNetwork):
        raise UnknownNetwork(f"{name!r} does not turn frames into frames, so it cannot sharpen a video by itself")
    return module


def _prepare(network: str | VideoNetwork, weights: str | Path | None) -> VideoNetwork:
    """A network of our own, with its weights."""
    if isinstance(network, str):
        module = build_video_network(network)
        shipped.load(module, network, weights)
    elif isinstance(network, VideoNetwork):
        module = copy.deepcopy(network)
        if weights is not None:
            shipped.load_file(module, weights)
    else:
        raise TypeError(f"network must be a name or a VideoNetwork, got {type(network).__name__}")
    return module


def _limit(network: VideoNetwork, frames: int | None, lookahead: int | None) -> None:
    if frames is None and lookahead is None:
        return
    try:
        network.limit(frames, lookahead)
    except ValueError as error:
        raise UnsupportedByNetwork(str(error)) from error


def _in_tiles(network: VideoNetwork, tile: int) -> VideoNetwork:
    try:
        return tiled(network, tile)
    except ValueError as error:
        raise UnsupportedByNetwork(str(error)) from error
