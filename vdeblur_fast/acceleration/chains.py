"""Modules of an `nn.Sequential` that do what comes after them.

Whoever else calls them must find them as they were: a network may share a module, or look into a chain. So they are,
and the chain calls twins of theirs.
"""

import copy
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Self

import torch
from torch import nn

from .outside import has_own_forward, layers_of, outside_of_blocks


class FusedChain(nn.Sequential):
    """An `nn.Sequential` that calls other layers than its modules, twins of theirs that do the work of several.

    fused_layers: the modules that they were made of, and the layers.
    """

    kind: type[nn.Sequential] = nn.Sequential  # what it was
    fused_layers: tuple[Sequence[nn.Module], Sequence[nn.Module]]

    def forward(self, input: Any) -> Any:
        for layer in layers_of(self):
            input = layer(input)
        return input

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        """Twins share their parameters with the modules of the chain; what was made of these is theirs alone."""
        super()._apply(fn, recurse)
        for layer in {*layers_of(self)} - {*self.children()}:
            layer._buffers.update({name: None if x is None else fn(x) for name, x in layer._buffers.items()})
        return self

    def _replicate_for_data_parallel(self) -> nn.Sequential:
        """Of what it was: the twins' parameters stay on their device."""
        replica = super()._replicate_for_data_parallel()
        replica.__class__ = self.kind
        return replica

    def __reduce_ex__(self, protocol: int) -> tuple[Any, ...]:
        """By what it was: the class that it has may have been made here, and be found under no name."""
        return _again, (self.kind,), self.__getstate__()


@cache
def _fused(kind: type[nn.Sequential]) -> type[FusedChain]:
    """The chains of this kind that have other layers. A `forward` of the kind's own stays, and what it asks of
    `nn.Sequential` is done by the layers."""
    if kind is nn.Sequential:
        return FusedChain
    return kind if issubclass(kind, FusedChain) else type(f"Fused{kind.__name__}", (kind, FusedChain), {"kind": kind})


def _again(kind: type[nn.Sequential]) -> FusedChain:
    return _fused(kind).__new__(_fused(kind))


def chains(network: nn.Module) -> list[nn.Sequential]:
    """Those outside of blocks that have a fused body."""
    return [module for module in outside_of_blocks(network) if isinstance(module, nn.Sequential)]


def is_hooked(*modules: nn.Module) -> bool:
    """Whether somebody sees or changes what one of the modules is given or gives, by hooks or another `forward`."""
    kinds = "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"
    return any(has_own_forward(module) or any(getattr(module, kind) for kind in kinds) for module in modules)


def twin(module: nn.Module, kind: type[nn.Module]) -> Any:
    """A module of this class with the same parameters, whatever becomes of them, and with buffers of its own."""
    other = copy.copy(module)
    other.__class__, other._buffers = kind, {}
    return other


def set_layers(chain: nn.Sequential, layers: Sequence[nn.Module]) -> None:
    """What the chain calls from now on."""
    chain.__class__, chain.fused_layers = _fused(type(chain)), (tuple(chain._modules.values()), tuple(layers))


def fuse_pairs(
    network: nn.Module, together: Callable[[nn.Module, nn.Module], type[nn.Module] | None]
) -> list[tuple[nn.Sequential, Any, Any]]:
    """Wherever `together(first, second)` gives a class for two neighbours in a chain, one module of that class takes
    their place there, in place -> each time the chain, what took the place, and the second one.

    None does of modules with hooks or a forward of their own, which would see something else.
    """
    found = []
    for chain in chains(network):
        layers: list[nn.Module] = []
        for module in layers_of(chain):
            kind = together(layers[-1], module) if layers and not is_hooked(layers[-1], module) else None
            if kind is None:
                layers.append(module)
                continue
            if layers[-1] in chain.children():
                layers[-1] = twin(layers[-1], kind)
            else:
                layers[-1].__class__ = kind
            found.append((chain, layers[-1], module))
        if len(layers) < len(layers_of(chain)):
            set_layers(chain, layers)
    return found
