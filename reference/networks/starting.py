"""Weights to start a training from."""

from torch import nn

from ..modules import RDB

FRAME = 4  # times the deviation of a frame is about 1


def keep_sizes(network: nn.Module, stem: nn.Conv2d, dense_gain: float, without: str) -> None:
    """Weights with which every convolution keeps the size of its signal: with PyTorch's default a chain of many layers
    fades to the size of its biases, and the first gradients say nothing.

    stem: the convolution that reads frames centred on 0. dense_gain: of the layers of dense blocks, which their
    activations make smaller. without: what the names of those parts begin with that stay as they are.
    """
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and not name.startswith(without):
            keep_size(module, gain=dense_gain if ".dense." in name else 1.0)
    for name, module in network.named_modules():
        if isinstance(module, RDB) and not name.startswith(without):
            module.fuse.weight.data.mul_(0.3)
    stem.weight.data.mul_(FRAME)


def keep_size(conv: nn.Conv2d | nn.ConvTranspose2d, gain: float) -> None:
    """Weights that give outputs of the deviation of the inputs, times the gain; no bias."""
    taps = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
    if isinstance(conv, nn.ConvTranspose2d):
        taps /= conv.stride[0] * conv.stride[1]
    nn.init.normal_(conv.weight, 0, gain / taps**0.5)
    nn.init.zeros_(conv.bias)
