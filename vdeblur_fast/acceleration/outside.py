"""Which modules of a network are called as they are."""

from collections.abc import Iterator, Sequence

from torch import nn

from ..modules import FUSED


def layers_of(chain: nn.Sequential) -> Sequence[nn.Module]:
    """What a chain calls, one after the other: its modules, or what took their place as long as they are the same."""
    modules = tuple(chain._modules.values())
    of, layers = getattr(chain, "fused_layers", (None, ()))
    return layers if of == modules else modules


def has_own_forward(module: nn.Module) -> bool:
    """Whether somebody has put another `forward` in the place of the one of its class, which is called no more."""
    return "forward" in vars(module)


def outside_of_blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The modules of a network, each once, but for those that have a forward of their own, and those within blocks that
    have a fused body: that takes their weights and never calls them. Of a chain, what it calls."""
    seen: set[nn.Module] = set()
    waiting = [network]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        if not has_own_forward(module):
            yield module
        if isinstance(module, nn.Sequential):
            waiting += layers_of(module)
        elif type(module) not in FUSED and type(module) not in FUSED.values():
            waiting += module.children()
