"""DAVID: many estimates of a sharp frame, and attention that says which to believe where (Wu et al., WACV 2020).

From the paper: backbone branches D_i that read 2i + 1 frames, U-Nets with two convolutions per level and bilinear
interpolation; internal attention over the branches of a module (Eq. 1), external attention over three modules, each
trained for a level of blur (Eq. 2); attention nets that read all seven frames and pool twice. From its supplement: 20
convolutions in a backbone, 12 in an attention net, and a skip from the input to the last convolution.

Nobody has published the widths, a network or weights. Ours: `width` (32, and 16 in `david-small`), channels that double
with each of the four poolings up to 8 * width, no batch norm, softmax over the estimates (the paper says
"probabilistic"), the skip as the blurry centre frame added to the last convolution, and frames centred on 0.

All parts are one class, for they differ in two numbers only: how many branches a module has, and how many modules there
are. Weights move along as they are, those of `single.levels[0].branches[0]` into `whole.levels[j].branches[k]`.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..modules import AttentionMix
from .starting import FRAME, keep_size
from .unet import Lockstep, UNet
from .video_network import VideoNetwork

SCALES = (1, 3, 5, 7)  # frames that the branches of the paper's modules read
LEVELS = (3, 7, 11)  # averaged frames: the levels of blur that the paper trains its modules on
# Up to so many pixels in a batch the nets run in lockstep. On a CPU never: a single net keeps its cores busy, and
# lockstep was measured to be slower (bench/results/DAVID.md). The figure for a GPU has not been measured.
LOCKSTEP_PIXELS = {"cuda": 512 * 512}


class InternalModule(nn.Module):
    """Branches that read 1, 3, 5, 7 frames, and the attention net that weighs their estimates; none for one branch.

    The nets are run from outside, together with those of the other modules.
    """

    def __init__(self, scales: Sequence[int], frames: int, width: int):
        super().__init__()
        self.branches = nn.ModuleList(UNet(3 * scale, 3, width, poolings=4) for scale in scales)
        self.attention = UNet(3 * frames, len(scales), width, poolings=2) if len(scales) > 1 else None


class DAVID(VideoNetwork):
    """DAVID or a part of it. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 16 -> the sharp clip.

    width: channels at full resolution. scales: frames that the branches of each module read, odd numbers.
    levels: internal modules, mixed by the external attention; 1 is an internal module alone.
    normalize: "softmax" over the maps, or "none".

    (1, 3, 5, 7) and 3 levels are the dual attention of the paper; scales of one number are a single backbone, and with
    3 levels the external attention over single branches.

    `lockstep`: run the nets together, layer by layer (True), one after another (False), or the one or the other by the
    device and the size of the frame (None, the default). The values are the same to rounding.
    """

    multiple = 16
    minimum = 16
    carriers = ("levels.*.branches.*.convs.19.*",)  # what writes the picture
    halo = 128  # 122 pixels decide (26 for the attention), and tiles begin on multiples of 16

    def __init__(
        self, width: int = 32, scales: Sequence[int] = SCALES, levels: int = len(LEVELS), normalize: str = "softmax"
    ):
        super().__init__()
        if not scales or any(scale < 1 or scale % 2 == 0 for scale in scales):
            raise ValueError(f"DAVID: scales must be odd numbers of frames, got {tuple(scales)}")
        if levels < 1:
            raise ValueError(f"DAVID: levels must be at least 1, got {levels}")
        self.past = self.future = max(scales) // 2
        self.scales = tuple(scales)
        frames = max(scales)
        self.levels = nn.ModuleList(InternalModule(scales, frames, width) for _ in range(levels))
        self.attention = UNet(3 * frames, levels, width, poolings=2) if levels > 1 else None
        self.mix = AttentionMix(normalize)
        self.lockstep: bool | None = None
        self._branches = Lockstep([level.branches[k] for k in range(len(scales)) for level in self.levels])
        attentions = [*(level.attention for level in self.levels), self.attention]
        self._attentions = Lockstep([net for net in attentions if net is not None])

    def start_from_identity(self) -> None:
        """Sets the last convolution of every net to zero, so that the network gives back what it is given and believes
        all branches alike. Before it every layer keeps the size of its signal, and the middle frame passes unchanged:
        features of noise alone are worth nothing to the last convolution, and die before they have learnt."""
        for net in (*self._branches.nets, *self._attentions.nets):
            for conv in net.convs:
                keep_size(conv, 2**0.5, centred=True)
            net.convs[0].weight.data.mul_(FRAME)
            net.pass_on(first=net.convs[0].in_channels // 6 * 3)
            nn.init.zeros_(net.convs[-1].weight)

    def encode(self, frame, state=None):
        return frame, None

    def decode(self, window: Sequence[torch.Tensor], state=None):
        estimates = self.estimates(window)
        internal, external = self.attention_logits(window)
        image = estimates[:, 0, 0]
        if internal is not None and external is not None:
            image = self.mix(estimates, internal, external)
        elif internal is not None:
            image = self.mix(estimates[:, 0], internal[:, 0])
        elif external is not None:
            image = self.mix(estimates[:, :, 0], external)
        return image, None

    def estimates(self, window: Sequence[torch.Tensor]) -> torch.Tensor:
        """The image as each branch sees it: (B, levels, scales, 3, H, W), in 0..1."""
        inputs = []
        for scale in self.scales:
            centred = torch.cat([window[self.past + t] for t in range(-(scale // 2), scale // 2 + 1)], 1) - 0.5
            inputs += [self.narrow(centred)] * len(self.levels)
        residuals = torch.stack(self._outputs(self._branches, inputs), 1).unflatten(1, (len(self.scales), -1))
        return residuals.transpose(1, 2) + window[self.past][:, None, None]

    def attention_logits(self, window: Sequence[torch.Tensor]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """What the softmaxes are taken of: internal (B, levels, scales, H, W), external (B, levels, H, W); None for
        those that this part of DAVID does not have."""
        nets = self._attentions.nets
        if not nets:
            return None, None
        maps = self._outputs(self._attentions, [self.narrow(torch.cat(tuple(window), 1) - 0.5)] * len(nets))
        external = maps.pop() if self.attention is not None else None
        return torch.stack(maps, 1) if maps else None, external

    def _outputs(self, together: Lockstep, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """What each net gives for its input, one way or the other."""
        batch, _, height, width = inputs[0].shape
        small = batch * height * width <= LOCKSTEP_PIXELS.get(inputs[0].device.type, 0)
        if small if self.lockstep is None else self.lockstep:
            return together(inputs)
        return [net(x) for net, x in zip(together.nets, inputs, strict=True)]
