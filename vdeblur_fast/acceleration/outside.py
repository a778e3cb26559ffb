"""Which modules of a network are called as they are."""

from collections.abc import Iterator

from torch import nn

from ..modules import FUSED


def outside_of_blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The modules of a network, each once, but for those within blocks that have a fused body: that takes their weights
    and never calls them."""
    seen: set[nn.Module] = set()
    waiting = [network]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        yield module
        if type(module) not in FUSED:
            waiting += module.children()
