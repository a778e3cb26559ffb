"""Names of networks: the papers' configurations, their ablations, and ours."""

from collections.abc import Callable

from torch import nn

from .david import DAVID, SCALES
from .estrnn import ESTRNN
from .gsta_net import GSTANet
from .mmp_net import MMPNet
from .mmp_rnn import MMPRNN
from .strcnn import STRCNN

# blocks_a, blocks_b, features of each row of MMP-RNN's Table 2
MMP_RNN_SIZES = {"a3b4c16": (3, 4, 16), "a7b8c16": (7, 8, 16), "a8b9c18": (8, 9, 18), "a9b10c18": (9, 10, 18)}
# Table 4's ablations; the published code, and as it was before it called the channel attention that it builds
MMP_RNN_VARIANTS = {
    "": {},
    "-no-mmam": {"mmam": False},
    "-no-mmam-no-ndf": {"mmam": False, "ndf": False},
    "-released": {"shift": False, "channel_attention": True},
    "-released-no-attention": {"shift": False},
}
# features, blocks; the names of Table 2 count the 5 * features channels of the cell; c80b15 is what the authors' code
# trains when nothing else is asked for
ESTRNN_SIZES = {"c70b7": (14, 7), "c90b10": (18, 10), "c80b15": (16, 15)}
# The networks of GSTA's Table 3; the fourth is the paper's final one
GSTA_NETS = {
    "gsta-net": {"selection": True},
    "gsta-net1": {"fusion": "none"},
    "gsta-net2": {"fusion": "ungated"},
    "gsta-net3": {},
    "gsta-net4": {"selection": True},
    "gsta-net5": {"fusion": "non-local", "selection": True},
}
GSTA_SMALL = {"widths": (16, 32, 64), "growths": (8, 16, 24)}
GSTA_NETS |= {
    f"{name}-small": GSTA_NETS[name] | GSTA_SMALL for name in ("gsta-net", "gsta-net1", "gsta-net2", "gsta-net3")
}
# DAVID and its parts: single backbones by their frames, one module, external attention over single backbones, all of it
DAVID_PARTS = {
    "": {},
    **{f"-single{scale}": {"scales": (scale,), "levels": 1} for scale in SCALES},
    "-internal": {"levels": 1},
    "-external": {"scales": SCALES[-1:]},
}
DAVID_WIDTHS = {"david": 32, "david-small": 16}
# The three networks of STRCNN+DTB's Fig. 3, as many parameters each but for the blending, and five frames at a time
STRCNNS = {
    "cnn": {"recurrent": False, "blending": False},
    "strcnn": {"blending": False},
    "strcnn-dtb": {},
    "strcnn-dtb-m2": {"m": 2},
}


def tiny_magnitude_net() -> MMPNet:
    return MMPNet(widths=(8, 16, 32, 64, 64), scale=2)


def tiny_mmp_rnn(**options) -> MMPRNN:
    """Ours: MMP-RNN with C = 8 and few blocks, and a stem that already halves the resolution."""
    return MMPRNN(8, 5, 10, magnitude_net=tiny_magnitude_net(), stem_stride=2, **options)


def _factories() -> dict[str, Callable[[], nn.Module]]:
    found: dict[str, Callable[[], nn.Module]] = {}
    for suffix in ("", "-no-mmam", "-no-mmam-no-ndf"):
        found[f"mmp-rnn-tiny{suffix}"] = lambda options=MMP_RNN_VARIANTS[suffix]: tiny_mmp_rnn(**options)
    for size, (a, b, c) in MMP_RNN_SIZES.items():
        for suffix, options in MMP_RNN_VARIANTS.items():
            found[f"mmp-rnn-{size}{suffix}"] = lambda a=a, b=b, c=c, options=options: MMPRNN(c, a, b, **options)
    for size, (features, blocks) in ESTRNN_SIZES.items():
        found[f"estrnn-{size}"] = lambda features=features, blocks=blocks: ESTRNN(features, blocks)
    for name, options in GSTA_NETS.items():
        found[name] = lambda options=options: GSTANet(**options)
    for name, width in DAVID_WIDTHS.items():
        for suffix, options in DAVID_PARTS.items():
            found[f"{name}{suffix}"] = lambda width=width, options=options: DAVID(width, **options)
    for name, options in STRCNNS.items():
        found[name] = lambda options=options: STRCNN(**options)
    return found | {"mmp-net": MMPNet, "mmp-net-tiny": tiny_magnitude_net}


FACTORIES = _factories()


def networks() -> list[str]:
    """The names that `build` knows."""
    return list(FACTORIES)


def build(name: str) -> nn.Module:
    """A network by its name, with random weights, on the CPU in float32, or as PyTorch's defaults say.

    Raises ValueError for a name that is not one of `networks()`.
    """
    if name not in FACTORIES:
        raise ValueError(f"unknown network {name!r}; choose one of {', '.join(FACTORIES)}")
    return FACTORIES[name]()
