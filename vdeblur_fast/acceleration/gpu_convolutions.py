"""Convolutions on a GPU: PyTorch gives their bias, their ReLU and their sum a pass each, the fused operator none."""

import torch
from torch import nn

from ..modules import RDB
from ..ops import triton, why_not_fused
from ..reference.networks.strcnn import ResidualBlock
from ..reference.networks.unet import UNet
from .chains import fuse_pairs, is_hooked
from .folding import FoldedConv2d
from .fused_conv import FusedConv2d, FusedFoldedConv2d
from .outside import layers_of, outside_of_blocks
from .rectified import FusedResidualBlock, RectifiedUNet, kinds_of_layers

FUSED = {nn.Conv2d: FusedConv2d, FoldedConv2d: FusedFoldedConv2d}


def fuse_convolutions(network: nn.Module) -> int:
    """Makes every plain convolution of `network` run on the fused operator, with the ReLU or the sum after it, in place
    -> how many. The batch norms must be folded; what the network gives stays the same, to rounding."""
    rectified = fuse_pairs(network, _rectified)
    for _, conv, _ in rectified:
        conv.activation = "relu"
    count = len(rectified)
    for module in outside_of_blocks(network):
        if type(module) is ResidualBlock and kinds_of_layers(module) == [FusedFoldedConv2d, FoldedConv2d]:
            module.__class__ = FusedResidualBlock
            count += _fuse(layers_of(module.body)[1], "relu")
        elif type(module) is UNet and all(map(_is_plain, module.convs)) and not is_hooked(*module.convs):
            module.__class__ = RectifiedUNet
            count += sum(_fuse(conv, "relu") for conv in module.convs[:-1])
    for module in outside_of_blocks(network):
        if _is_plain(module):
            count += _fuse(module, "none")
    return count


def lay_out_weights(network: nn.Module) -> None:
    """Puts the weights that the fused kernels read in the order in which they read them, in place; a weight that lies
    otherwise, after `load_state_dict` of a folded one for example, is put in order at each call."""
    for module in outside_of_blocks(network):
        if isinstance(module, RDB):
            for conv in (*module.dense, module.fuse):
                conv.weight = nn.Parameter(triton.laid_out(conv.weight), requires_grad=False)
        elif isinstance(module, FusedFoldedConv2d):
            module.register_buffer("folded_weight", triton.laid_out(module.folded_weight), persistent=False)
        elif isinstance(module, FusedConv2d):
            module.weight = nn.Parameter(triton.laid_out(module.weight), requires_grad=False)


def _rectified(conv: nn.Module, relu: nn.Module) -> type[nn.Module] | None:
    return FUSED[type(conv)] if _is_plain(conv) and type(relu) is nn.ReLU else None


def _fuse(conv: nn.Conv2d, activation: str) -> int:
    conv.__class__, conv.activation = FUSED[type(conv)], activation
    return 1


def _is_plain(module: nn.Module) -> bool:
    """Square and odd, without a stride, as large as its input."""
    if type(module) not in FUSED or module.padding_mode != "zeros" or isinstance(module.padding, str):
        return False
    side = module.kernel_size[0]
    plain = (module.stride, module.dilation, module.groups) == ((1, 1), (1, 1), 1)
    return plain and side % 2 == 1 and module.kernel_size == (side, side) and module.padding == (side // 2, side // 2)


def have_a_body(like: torch.Tensor) -> bool:
    """Whether Triton can run the operator on tensors such as this one."""
    return like.is_cuda and not why_not_fused(like, only="triton")
