"""Names of networks: the papers' configurations, their ablations, and ours."""

from collections.abc import Callable

from torch import nn

from .estrnn import ESTRNN
from .mmp_net import MMPNet
from .mmp_rnn import MMPRNN

# blocks_a, blocks_b, features of each row of MMP-RNN's Table 2
MMP_RNN_SIZES = {"a3b4c16": (3, 4, 16), "a7b8c16": (7, 8, 16), "a8b9c18": (8, 9, 18), "a9b10c18": (9, 10, 18)}
MMP_RNN_ABLATIONS = {"": {}, "-no-mmam": {"mmam": False}, "-no-mmam-no-ndf": {"mmam": False, "ndf": False}}
# features, blocks; the names of Table 2 count the 5 * features channels of the cell
ESTRNN_SIZES = {"c70b7": (14, 7), "c90b10": (18, 10)}


def tiny_magnitude_net() -> MMPNet:
    return MMPNet(widths=(8, 16, 32, 64, 64), scale=2)


def tiny_mmp_rnn() -> MMPRNN:
    """Ours: MMP-RNN with C = 8, and a stem that already halves the resolution."""
    return MMPRNN(8, 3, 4, magnitude_net=tiny_magnitude_net(), stem_stride=2)


def _factories() -> dict[str, Callable[[], nn.Module]]:
    found: dict[str, Callable[[], nn.Module]] = {"mmp-rnn-tiny": tiny_mmp_rnn}
    for size, (a, b, c) in MMP_RNN_SIZES.items():
        for suffix, options in MMP_RNN_ABLATIONS.items():
            found[f"mmp-rnn-{size}{suffix}"] = lambda a=a, b=b, c=c, options=options: MMPRNN(c, a, b, **options)
    for size, (features, blocks) in ESTRNN_SIZES.items():
        found[f"estrnn-{size}"] = lambda features=features, blocks=blocks: ESTRNN(features, blocks)
    return found | {"mmp-net": MMPNet, "mmp-net-tiny": tiny_magnitude_net}


FACTORIES = _factories()


def networks() -> list[str]:
    """The names that `build` knows."""
    return list(FACTORIES)


def build(name: str) -> nn.Module:
    """A network by its name, with random weights, on the CPU, in float32.

    Raises ValueError for a name that is not one of `networks()`.
    """
    if name not in FACTORIES:
        raise ValueError(f"unknown network {name!r}; choose one of {', '.join(FACTORIES)}")
    return FACTORIES[name]()
