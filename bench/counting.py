"""Counts the work of a network, in two conventions, without running it (on meta tensors).

`paper`: the rule behind the tables of MMP-RNN: thop 0.0.31 (2020), module by module. A transposed convolution counts
its kernel once per *output* element, a bias counts, batch norm counts 2 per element, bilinear upsampling 11.
What is no module counts nothing: attention, by the paper's rule, is free.
`true`: multiply-accumulates of all convolutions and matrix products, as PyTorch's own counter has them: transposed
convolutions by their input, no bias.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vdeblur_fast.reference.modules import UpsampleConcat
from vdeblur_fast.reference.networks import VideoNetwork


@dataclass(frozen=True)
class Count:
    params: int
    paper_gmacs: float
    true_gmacs: float


def _paper(module: nn.Module, x: torch.Tensor, y: torch.Tensor, batch_norm: int) -> int:
    match module:
        case nn.Conv2d() | nn.ConvTranspose2d():
            kernel = module.weight[0, 0].numel() * module.in_channels // module.groups
            return y.numel() * (kernel + (module.bias is not None))
        case nn.BatchNorm2d():
            return batch_norm * x.numel()
        case nn.Upsample():
            return 11 * y.numel()
        case UpsampleConcat():
            return 11 * 4 * x.numel()
        case nn.LeakyReLU():
            return x.numel()
        case nn.AdaptiveAvgPool2d():
            return (x.shape[-2] * x.shape[-1] + 1) * y.numel()
        case nn.Linear():
            return y.numel() * module.in_features
    return 0


def count(network: nn.Module, width: int = 1280, height: int = 720, batch_norm: int = 2) -> Count:
    """Parameters and GMACs per frame of a network; nothing is computed. Any network the package builds.

    batch_norm: what the papers' rule counts for each element of a batch norm (4 before thop 0.0.31 of May 2020).
    """
    network = network.to("meta").eval()
    paper = 0

    def hook(module, inputs, output):
        nonlocal paper
        paper += _paper(module, inputs[0], output, batch_norm)

    leaves = [m for m in network.modules() if not list(m.children()) and not isinstance(m, nn.ModuleList)]
    with torch.no_grad():
        frame = torch.empty(1, 3, height, width, device="meta")
        work = network.steady_frame(frame) if isinstance(network, VideoNetwork) else partial(network, frame)
        handles = [m.register_forward_hook(hook) for m in leaves]
        with FlopCounterMode(display=False) as counter:
            work()
    for handle in handles:
        handle.remove()
    params = sum(parameter.numel() for parameter in network.parameters())
    return Count(params, paper / 1e9, counter.get_total_flops() / 2e9)
