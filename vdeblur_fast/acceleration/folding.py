"""Batch norms folded into the convolutions before them, with the state_dict of the unfolded network."""

from functools import partial

import torch
from torch import nn

from .chains import fuse_pairs


class FoldedConv2d(nn.Conv2d):
    """A convolution that does the work of the batch norm after it.

    Keeps its own `weight` and `bias`, so that the state_dict stays; computes with folded ones, made from both modules
    when they are folded and again whenever a state_dict is loaded.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(input, self.folded_weight, self.folded_bias)


def fold_batch_norms(network: nn.Module) -> int:
    """Folds every batch norm that follows a convolution in an `nn.Sequential` of `network`, in place -> how many.

    The network must be in evaluation mode; what it gives stays the same, to rounding.

    Equivalent to, for each pair:
        torch.nn.utils.fuse_conv_bn_eval(conv, norm)
    """
    found = fuse_pairs(network, _folded)
    for chain, conv, norm in found:
        _fold(conv, norm)
        chain.register_load_state_dict_post_hook(partial(_fold, conv, norm))
    return len(found)


def _folded(conv: nn.Module, norm: nn.Module) -> type[nn.Module] | None:
    plain = type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and type(norm) is nn.BatchNorm2d
    return FoldedConv2d if plain and not norm.training and norm.running_mean is not None else None


@torch.no_grad()
def _fold(conv: FoldedConv2d, norm: nn.BatchNorm2d, *_: object) -> None:
    """In float64: products of small and large statistics are rounded once, at the end."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        scale, shift = scale * norm.weight.double(), shift * norm.weight.double() + norm.bias.double()
    bias = 0 if conv.bias is None else conv.bias.double()
    weight = conv.weight.double() * scale[:, None, None, None]
    conv.register_buffer("folded_weight", weight.to(conv.weight.dtype), persistent=False)
    conv.register_buffer("folded_bias", (bias * scale + shift).to(conv.weight.dtype), persistent=False)
