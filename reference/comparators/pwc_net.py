"""PWC-Net: optical flow by a pyramid, warping and a cost volume (Sun et al., CVPR 2018).

The layers are those that CDVD-TSP's authors use; MMP-RNN's introduction counts 181.68 GMACs for a pair of frames of
1280x720, which PWC-Net resizes to 1280x768. 9,374,274 parameters.
"""

import torch
from torch import nn
from torch.nn.functional import grid_sample, interpolate, leaky_relu, pad

RADIUS = 4
COSTS = (2 * RADIUS + 1) ** 2
WIDTHS = (16, 32, 64, 96, 128, 196)
GROWTH = (128, 128, 96, 64, 32)
FLOW_UNIT = 20.0  # the network's flow is in twentieths of a pixel of the resized frame


def conv(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation), nn.LeakyReLU(0.1))


def correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """first, second (B, C, H, W) -> (B, 81, H, W): mean over C of first times second moved by up to 4 pixels."""
    height, width = first.shape[-2:]
    around = pad(second, [RADIUS] * 4).unfold(3, width, 1).transpose(2, 3)  # (B, C, 9, H + 8, W)
    rows = [around[..., y : y + height, :] for y in range(2 * RADIUS + 1)]
    return torch.cat([(first[:, :, None] * row).mean(1) for row in rows], 1)


def warp(x: torch.Tensor, flow: torch.Tensor, padding_mode: str = "zeros") -> tuple[torch.Tensor, torch.Tensor]:
    """x (B, C, H, W), flow (B, 2, H, W) in pixels, horizontal first -> x where the flow points, 0 where that is
    outside; and a mask (B, 1, H, W), 1 inside."""
    height, width = x.shape[-2:]
    column = torch.arange(width, dtype=x.dtype, device=x.device) + flow[:, 0]
    row = torch.arange(height, dtype=x.dtype, device=x.device)[:, None] + flow[:, 1]
    grid = torch.stack([2 * column / max(width - 1, 1) - 1, 2 * row / max(height - 1, 1) - 1], -1)
    # how much of what is read lies in the frame; all of it, but for rounding
    covered = torch.minimum(column + 1, width - column).clamp(0, 1) * torch.minimum(row + 1, height - row).clamp(0, 1)
    mask = (covered > 0.999).to(x.dtype)[:, None]
    # corners aligned: what grid_sample did when the authors trained, and what makes a flow of 0 change nothing
    return grid_sample(x, grid, padding_mode=padding_mode, align_corners=True) * mask, mask


class Estimator(nn.Module):
    """One level of the pyramid: the two frames' features and what the level below found -> flow, features.

    warp_scale: a unit of flow in pixels of this level; None on the lowest level, which has nothing below it.
    """

    def __init__(self, channels: int, below: int | None, warp_scale: float | None):
        super().__init__()
        self.warp_scale = warp_scale
        inputs = COSTS
        if below is not None:
            self.up_flow = nn.ConvTranspose2d(2, 2, 4, 2, 1)
            self.up_features = nn.ConvTranspose2d(below, 2, 4, 2, 1)
            inputs += channels + 2 + 2
        self.dense = nn.ModuleList(conv(inputs + sum(GROWTH[:i]), width) for i, width in enumerate(GROWTH))
        self.outputs = inputs + sum(GROWTH)
        self.flow = nn.Conv2d(self.outputs, 2, 3, padding=1)

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, below: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if below is None:
            x = leaky_relu(correlation(first, second), 0.1)
        else:
            flow, features = self.up_flow(below[0]), self.up_features(below[1])
            second, _ = warp(second, flow * self.warp_scale)
            x = torch.cat([leaky_relu(correlation(first, second), 0.1), first, flow, features], 1)
        for layer in self.dense:
            x = torch.cat([layer(x), x], 1)
        return self.flow(x), x


class PWCNet(nn.Module):
    """first, second (B, 3, H, W) in 0..1, any size -> flow (B, 2, H, W), pixels from first to second, horizontal first.

    The cost volumes, 0.28 GMACs more for 1280x720, are no layers, and neither of the tables' conventions counts them.
    """

    def __init__(self):
        super().__init__()
        pairs = zip((3, *WIDTHS[:-1]), WIDTHS, strict=True)
        self.levels = nn.ModuleList(nn.Sequential(conv(i, o, 2), conv(o, o), conv(o, o)) for i, o in pairs)
        self.estimators = nn.ModuleList([Estimator(WIDTHS[5], None, None)])
        for level, unit in zip((4, 3, 2, 1), (0.625, 1.25, 2.5, 5.0), strict=True):
            self.estimators.append(Estimator(WIDTHS[level], self.estimators[-1].outputs, unit))
        widths = (self.estimators[-1].outputs, 128, 128, 128, 96, 64, 32)
        layers = zip(widths[:-1], widths[1:], (1, 2, 4, 8, 16, 1), strict=True)
        self.refine = nn.Sequential(*(conv(i, o, dilation=d) for i, o, d in layers), nn.Conv2d(32, 2, 3, padding=1))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        height, width = first.shape[-2:]
        size = (-(-height // 64) * 64, -(-width // 64) * 64)
        first, second = (self.pyramid(interpolate(x, size, mode="bilinear")) for x in (first, second))
        found = None
        for estimate, a, b in zip(self.estimators, first[:0:-1], second[:0:-1], strict=True):
            found = estimate(a, b, found)
        flow = interpolate(found[0] + self.refine(found[1]), (height, width), mode="bilinear")
        return flow * flow.new_tensor([width / size[1], height / size[0]]).view(2, 1, 1) * FLOW_UNIT

    def pyramid(self, frame: torch.Tensor) -> list[torch.Tensor]:
        """frame -> its features at 1/2, 1/4 ... 1/64 of its size."""
        found = []
        for level in self.levels:
            frame = level(frame)
            found.append(frame)
        return found
