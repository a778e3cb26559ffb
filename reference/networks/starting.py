"""Weights to start a training from."""

from torch import nn


def keep_size(conv: nn.Conv2d | nn.ConvTranspose2d, gain: float) -> None:
    """Weights that give outputs of the deviation of the inputs, times the gain; no bias."""
    taps = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
    if isinstance(conv, nn.ConvTranspose2d):
        taps /= conv.stride[0] * conv.stride[1]
    nn.init.normal_(conv.weight, 0, gain / taps**0.5)
    nn.init.zeros_(conv.bias)
