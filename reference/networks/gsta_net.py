"""GSTA-Net: every pixel hears from every pixel of well-chosen frames (Suin and Rajagopalan, CVPR 2021).

From the paper: a densely connected encoder-decoder; the neighbours go through the encoder on their own; gated
spatio-temporal attention (Eq. 1 to 8) inside a residual block of convolutions, batch norms and ReLUs, at the encoder
and, for the neighbours' skips, at the decoder; the blur mask by one convolution; frame selection over +-12 of at most u
neighbours; the networks of Table 3: Net1 without attention, Net2 without the gate, Net3 with both on +-2, Net4 with
frame selection, Net5 with a non-local block instead of the attention.

Its supplement, with the layers, is not public, and neither is code. Ours: the layer table (three levels of 32, 64, 128
channels; dense modules of four 3x3 convolutions with 16, 32, 48 new channels each, a 1x1 and the input added; attention
at 1/2, at 1/4 and at the decoder's 1/2; M = 8, N = 4), a 1x1 convolution for the mask, the frame added to the output;
Net1's fusion, which reads five frames' features side by side; Net5's averaging of features before the non-local block.

The neighbour path never sees the frame that is being restored. So each frame takes it once, and what is kept of it is a
`FrameSummary` for each attention, 9 kB: an output costs as much with 24 neighbours as with none. Summaries form a set,
so any neighbours will do, in any order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from ..modules import RDB, JoiningConv2d, StridedConv2d
from .frame_selection import REACH, FrameSelectionNetwork, select, thumbnail
from .gsta_fusion import AttentionFusion, ConcatFusion, Fusion, NonLocalFusion, Summary
from .starting import keep_sizes
from .video_network import VideoNetwork

FUSIONS = ("gated", "ungated", "none", "non-local")


class Entry(NamedTuple):
    """What is known of a frame: first for all, then only until its own image is out."""

    index: int  # in its clip
    summaries: tuple[Summary, Summary, Summary]  # at the three places where frames meet
    thumbnail: torch.Tensor | None  # for the frame selection
    frame: torch.Tensor | None
    skip: torch.Tensor | None  # (B, a, H, W): the encoder's first level
    features: torch.Tensor | None  # (B, b, H/2, W/2): its second, before any neighbour is heard
    deep: torch.Tensor | None  # (B, c, H/4, W/4): its third, which only `blur_masks` needs


class Choice(NamedTuple):
    """The neighbours of an image, as offsets, and which of them each clip picked: None for all."""

    offsets: list[int]
    picks: torch.Tensor | None  # bool (B, len(offsets)), on the CPU


class GSTANet(VideoNetwork):
    """GSTA-Net. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 4 -> the sharp clip.

    widths: channels at 1, 1/2 and 1/4 of the resolution. growths: of the dense modules there.
    fusion: "gated" (the paper's), "ungated" (Net2), "none" (Net1: frames side by side), "non-local" (Net5).
    selection: choose at most `frames` of the neighbours within +-12; without it all of +-2 are used.

    `limit` sets at run time how many neighbours may be used and how far ahead they may lie; `restore` takes any set. A
    batch may be served too: each clip chooses for itself.
    """

    multiple = 4
    minimum = 4
    carriers = ("head.*",)  # what writes the picture: see `skip_rate` of the recipes
    halo = 40  # at most 38 pixels decide about a stage
    capturable = False  # which summaries are heard depends on values

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        growths: Sequence[int] = (16, 32, 48),
        fusion: str = "gated",
        selection: bool = False,
    ):
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"GSTANet: fusion must be one of {', '.join(FUSIONS)}, got {fusion!r}")
        if selection and fusion == "none":
            raise ValueError('GSTANet: fusion="none" reads a fixed number of frames; leave out selection')
        self.fusion = fusion
        if fusion == "non-local":
            self.halo, self.untiled = None, "its non-local block works on a grid over the whole frame"
        self.past = self.future = REACH if selection else 2
        self.frames = 5 if selection else 4  # u: the most neighbours of an image
        self.lookahead = REACH
        self.explain = False  # keep what `blur_masks` needs
        (a, b, c), (g1, g2, g3) = widths, growths
        self.stem = nn.Sequential(nn.Conv2d(3, a, 3, padding=1), nn.ReLU(inplace=True))
        self.encoder1 = dense_module(a, g1)
        self.down1 = StridedConv2d(a, b, 3, 2, 1)
        self.encoder2 = dense_module(b, g2)
        self.fuse2 = self._fusion(b, 8)
        self.down2 = StridedConv2d(b, c, 3, 2, 1)
        self.encoder3 = nn.Sequential(dense_module(c, g3), dense_module(c, g3))
        self.fuse3 = self._fusion(c, 4)
        self.decoder3 = nn.Sequential(dense_module(c, g3), dense_module(c, g3))
        self.up2 = nn.ConvTranspose2d(c, b, 4, 2, 1)
        self.fuse_skip = self._fusion(b, 8)
        self.merge2 = JoiningConv2d(2 * b, b, 1)
        self.decoder2 = dense_module(b, g2)
        self.up1 = nn.ConvTranspose2d(b, a, 4, 2, 1)
        self.merge1 = JoiningConv2d(2 * a, a, 1)
        self.decoder1 = dense_module(a, g1)
        self.head = nn.Conv2d(a, 3, 3, padding=1)
        self.selector = FrameSelectionNetwork() if selection else None

    def _fusion(self, channels: int, reduction: int) -> Fusion:
        if self.fusion == "none":
            return ConcatFusion(channels, self.past + 1 + self.future)
        if self.fusion == "non-local":
            return NonLocalFusion(channels, reduction)
        return AttentionFusion(channels, gated=self.fusion == "gated")

    @property
    def fusions(self) -> tuple[Fusion, Fusion, Fusion]:
        """The three places where frames meet, in the order of an entry's summaries."""
        return self.fuse2, self.fuse3, self.fuse_skip

    def start_from_identity(self) -> None:
        """Sets the last convolution to zero, so that the network gives back what it is given.

        Everything before it keeps the size of its signal from layer to layer, by centred kernels.
        """
        keep_sizes(self, self.stem[0], dense_gain=2**0.5, without="selector", centred=True)
        nn.init.zeros_(self.head.weight)

    def limit(self, frames: int | None = None, lookahead: int | None = None) -> None:
        """At most `frames` neighbours, at most `lookahead` frames ahead; what is None stays as it is.

        With frame selection the chosen ones of +-12, without it the nearest ones.
        Raises ValueError for numbers that cannot be, and for Net1, whose neighbours are built in.
        """
        if self.fusion == "none":
            super().limit(frames, lookahead)
        most = 2 * REACH
        if frames is not None and not 0 <= frames <= most:
            raise ValueError(f"frames must be from 0 to {most}, the neighbours within {REACH} frames, got {frames}")
        if lookahead is not None and not 0 <= lookahead <= REACH:
            raise ValueError(f"lookahead must be from 0 (none) to {REACH} frames, got {lookahead}")
        self.frames = self.frames if frames is None else frames
        self.lookahead = self.lookahead if lookahead is None else lookahead
        if self.selector is not None:
            self.future = self.lookahead
        else:
            self.future = min(self.frames // 2, self.lookahead)
            self.past = min(self.frames - self.future, REACH)

    def encode(self, frame, state: int | None = None):
        """The neighbour path; the state is the number of frames before this one."""
        index = state or 0
        skip, features = self.lower_levels(frame)
        deep = self.encoder3(self.down2(features))
        levels = zip(self.fusions, (features, deep, features), strict=True)
        summaries = tuple(fuse.summarise(x) for fuse, x in levels)
        return self.entry(index, summaries, frame, skip, features, deep), index + 1

    def entry(self, index: int, summaries, frame, skip, features, deep) -> Entry:
        """Of all that is known of a frame, what will be needed."""
        small = thumbnail(self.narrow(frame)) if self.selector is not None else None
        return Entry(index, summaries, small, frame, skip, features, deep if self.training or self.explain else None)

    def lower_levels(self, frame: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """frame -> (B, a, H, W), (B, b, H/2, W/2): the levels of the encoder that no neighbour changes."""
        skip = self.encoder1(self.stem(self.narrow(frame - 0.5)))
        return skip, self.encoder2(self.down1(skip))

    def still(self, entry: Entry, frames: int) -> list[Entry]:
        return [entry._replace(index=i) for i in range(frames)]

    def retire(self, entry: Entry) -> Entry:
        return entry._replace(frame=None, skip=None, features=None, deep=None)

    def chosen(self, state: Choice) -> list[int]:
        picks = state.picks.any(0).tolist() if state.picks is not None else [True] * len(state.offsets)
        return [offset for offset, picked in zip(state.offsets, picks, strict=True) if picked]

    def blur_masks(self, entry: Entry) -> list[torch.Tensor]:
        """Q (Eq. 7) of a frame that was encoded in training mode or with `explain`, at each place where frames meet:
        three of (B, 1, h, w), h = H/2, H/4, H/2."""
        if self.fusion != "gated":
            raise ValueError(f'GSTANet: fusion="{self.fusion}" has no gate, so there are no blur masks')
        if entry.deep is None:
            raise ValueError("GSTANet: blur masks need an entry of training mode, or network.explain = True before it")
        levels = entry.features, entry.deep, entry.features
        return [fuse.blur_mask(x) for fuse, x in zip(self.fusions, levels, strict=True)]

    def decode(self, window: Sequence[Entry], state=None):
        neighbours, choice = self.choose(window)
        return self.restore(window[self.past], neighbours, choice.picks), choice

    def choose(self, window: Sequence[Entry]) -> tuple[list[Entry], Choice]:
        """The window's neighbours, and which of them the frame in its middle is to hear."""
        centre = window[self.past].index
        if self.fusion == "none":
            neighbours = [entry for i, entry in enumerate(window) if i != self.past]
        else:
            neighbours = list({entry.index: entry for entry in window if entry.index != centre}.values())
        offsets = [entry.index - centre for entry in neighbours]
        if self.selector is None:
            return neighbours, Choice(offsets, None)
        probabilities, _, available = self.policy(window)
        return neighbours, Choice(offsets, self._decide(probabilities, available)[:, [REACH + o for o in offsets]])

    def policy(
        self, window: Sequence[Entry], u: int | torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The window around a frame -> the selection's probabilities (B, 25), its state (B, 26), and which of the 25
        frames there are (bool, (25,)): a scene has two ends, and `limit` may forbid some. The nearest frame that there
        is stands in for one that is not.

        u: None takes `frames`.
        """
        centre = window[self.past].index
        by_offset = {entry.index - centre: entry.thumbnail for entry in window}
        present = sorted(by_offset)
        nearest = [min(max(offset, present[0]), present[-1]) for offset in range(-REACH, REACH + 1)]
        available = torch.tensor([offset in by_offset for offset in range(-REACH, REACH + 1)])
        thumbnails = torch.stack([by_offset[offset] for offset in nearest], 1)
        probabilities, state = self.selector(thumbnails, self.frames if u is None else u)
        return probabilities, state, available

    def _decide(self, probabilities: torch.Tensor, available: torch.Tensor) -> torch.Tensor:
        if probabilities.is_meta:  # only the work is counted: any choice will do
            probabilities = torch.ones(probabilities.shape)
        return select(probabilities.float().cpu(), available, self.frames)

    def restore(self, centre: Entry, neighbours: Sequence[Entry], picks: torch.Tensor | None = None) -> torch.Tensor:
        """The image (B, 3, H, W) of `centre` with the help of any neighbours, in any order.

        picks: bool (B, len(neighbours)), which of them each clip of the batch uses; None for all.
        """
        at2, at3, at_skip = ([entry.summaries[place] for entry in neighbours] for place in range(3))
        picks = None if picks is None else picks.tolist()
        x2 = self.fuse2(centre.features, at2, picks, centre.summaries[0])
        x = self.fuse3(self.encoder3(self.down2(x2)), at3, picks)
        x = self.fuse_skip(self.up2(self.decoder3(x)), at_skip, picks)
        return self.upper_levels(x, x2, centre.skip) + centre.frame

    def upper_levels(self, x: torch.Tensor, x2: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """The decoder's features (B, b, H/2, W/2) and both skips -> what is added to the frame, (B, 3, H, W)."""
        x = self.decoder2(self.merge2(x, x2))
        x = self.decoder1(self.merge1(self.up1(x), skip))
        return self.head(x)


def dense_module(channels: int, growth: int) -> RDB:
    """Four 3x3 convolutions that each add `growth` channels, a 1x1 back to `channels`, and the input."""
    return RDB(channels, growth, layers=4, activation="relu")
