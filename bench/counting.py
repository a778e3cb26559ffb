"""Counts the work of a network, in two conventions, without running it (on meta tensors).

`paper`: the rule behind the tables of MMP-RNN: thop 0.0.31 (2020), module by module. A transposed convolution counts
its kernel once per *output* element, a bias counts, batch norm counts 2 per element, bilinear upsampling 11.
`true`: multiply-accumulates that the convolutions and linear layers need: transposed convolutions by their input, no
bias.
"""

from dataclasses import dataclass

import torch
from torch import nn

from vdeblur_fast.reference.networks import VideoNetwork


@dataclass(frozen=True)
class Count:
    params: int
    paper_gmacs: float
    true_gmacs: float


def _paper(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> int:
    match module:
        case nn.Conv2d() | nn.ConvTranspose2d():
            kernel = module.weight[0, 0].numel() * module.in_channels // module.groups
            return y.numel() * (kernel + (module.bias is not None))
        case nn.BatchNorm2d():
            return 2 * x.numel()
        case nn.Upsample():
            return 11 * y.numel()
        case nn.LeakyReLU():
            return x.numel()
        case nn.AdaptiveAvgPool2d():
            return (x.shape[-2] * x.shape[-1] + 1) * y.numel()
        case nn.Linear():
            return y.numel() * module.in_features
    return 0


def _true(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> int:
    match module:
        case nn.Conv2d():
            return y.numel() * module.weight[0].numel()
        case nn.ConvTranspose2d():
            return x.numel() * module.weight[0].numel()
        case nn.Linear():
            return y.numel() * module.in_features
    return 0


def steady_frame(network: nn.Module, frame: torch.Tensor) -> None:
    """The work of one frame in the middle of a video: each frame encoded once, one window decoded."""
    if isinstance(network, VideoNetwork):
        entry, _ = network.encode(frame)
        network.decode([entry] * (network.past + 1 + network.future))
    else:
        network(frame)


def count(network: nn.Module, width: int = 1280, height: int = 720) -> Count:
    """Parameters and GMACs per frame of a network; nothing is computed. Any network the package builds.

    Parameters are those of modules that ran, as thop counts them: here, all of them.
    """
    network = network.to("meta").eval()
    totals = {"paper": 0, "true": 0}
    ran: set[nn.Module] = set()

    def hook(module, inputs, output):
        totals["paper"] += _paper(module, inputs[0], output)
        totals["true"] += _true(module, inputs[0], output)
        ran.add(module)

    leaves = [m for m in network.modules() if not list(m.children()) and not isinstance(m, nn.ModuleList)]
    handles = [m.register_forward_hook(hook) for m in leaves]
    with torch.no_grad():
        steady_frame(network, torch.empty(1, 3, height, width, device="meta"))
    for handle in handles:
        handle.remove()
    params = sum(p.numel() for m in leaves if m in ran for p in m.parameters(recurse=False))
    return Count(params, totals["paper"] / 1e9, totals["true"] / 1e9)
