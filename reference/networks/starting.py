"""Weights to start a training from."""

import torch
from torch import nn

from ..modules import RDB

FRAME = 4  # times the deviation of a frame is about 1


def keep_sizes(network: nn.Module, stem: nn.Conv2d, dense_gain: float, without: str, centred: bool = False) -> None:
    """Weights with which every convolution keeps the size of its signal: with PyTorch's default a chain of many layers
    fades to the size of its biases, and the first gradients say nothing.

    stem: the convolution that reads frames centred on 0. dense_gain: of the layers of dense blocks, which their
    activations make smaller. without: what the names of those parts begin with that stay as they are. centred: as of
    `keep_size`.
    """
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and not name.startswith(without):
            keep_size(module, dense_gain if ".dense." in name else 1.0, centred)
    for name, module in network.named_modules():
        if isinstance(module, RDB) and not name.startswith(without):
            module.fuse.weight.data.mul_(0.3)
    stem.weight.data.mul_(FRAME)


@torch.no_grad()
def keep_size(conv: nn.Conv2d | nn.ConvTranspose2d, gain: float, centred: bool = False) -> None:
    """Weights that give outputs of the deviation of the inputs, times the gain; no bias.

    centred: of mean 0 for each output. Of inputs that are not, such as those that a ReLU gives, other kernels see the
    mean more than anything else, and half of them give the next ReLU nothing.
    """
    taps = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
    transposed = isinstance(conv, nn.ConvTranspose2d)
    if transposed:
        taps /= conv.stride[0] * conv.stride[1]
    nn.init.normal_(conv.weight, 0, gain / taps**0.5)
    if centred:
        conv.weight -= conv.weight.mean((0, 2, 3) if transposed else (1, 2, 3), keepdim=True)
    nn.init.zeros_(conv.bias)
