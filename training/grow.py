"""`python -m vdeblur_fast.training.grow NETWORK FROM OUT`: weights of a network with more residual dense blocks, which
gives what the one that they are from gives, for a training to go on from."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.modules import ResidualDenseNetwork
from vdeblur_fast.reference.networks import build, networks
from vdeblur_fast.weights.files import fill, read

from .export import export, new_weights


def grow(network: nn.Module, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of a network that has fewer blocks in its residual dense networks than `network`, as weights of
    `network`, with which it gives the same to rounding.

    The blocks that there were are spread among those that there are now. A new block gives what it is given, for its
    fusion is zero: it and the block before it have one output, and share that output's part of the final fusion.

    Raises UserError where there are no such blocks, or more than in `network`.
    """
    fresh, grown = network.state_dict(), dict(tensors)
    for chain, has in _chains(network):
        found = {key: re.match(rf"{re.escape(chain)}blocks\.(\d+)\.", key) for key in tensors}
        blocks = {key: int(match[1]) for key, match in found.items() if match}
        had = len(set(blocks.values()))
        if not 0 < had <= has:
            raise UserError(f"the weights have {had} blocks in {chain}blocks, the network {has}; it can only grow")
        origins = [block * had // has for block in range(has)]
        for key in blocks:
            del grown[key]
        for block, origin in enumerate(origins):
            old, new = f"{chain}blocks.{origin}.", f"{chain}blocks.{block}."
            if block and origin == origins[block - 1]:
                own = {key: value for key, value in fresh.items() if key.startswith(new)}
                grown |= own | {key: torch.zeros_like(own[key]) for key in (f"{new}fuse.weight", f"{new}fuse.bias")}
            else:
                grown |= {new + key.removeprefix(old): tensors[key] for key in blocks if key.startswith(old)}
        parts = tensors[f"{chain}fuse.weight"].chunk(had, 1)
        grown[f"{chain}fuse.weight"] = torch.cat([parts[origin] / origins.count(origin) for origin in origins], 1)
    return grown


def _chains(network: nn.Module) -> Iterator[tuple[str, int]]:
    """How the keys of each residual dense network begin, and how many blocks it has."""
    for name, module in network.named_modules():
        if isinstance(module, ResidualDenseNetwork):
            yield f"{name}." if name else "", len(module.blocks)


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.grow", description=__doc__)
    parser.add_argument("network", choices=networks(), metavar="NETWORK", help="the deeper network's name")
    parser.add_argument("weights", type=Path, metavar="FROM", help=".safetensors of the shallower one")
    parser.add_argument("out", type=Path, metavar="OUT", help="the .safetensors to write, for --init of a training")
    arguments = parser.parse_args(argv)
    new_weights(arguments.out)
    network = build(arguments.network)
    if not any(_chains(network)):
        raise UserError(f"{arguments.network} has no chains of residual dense blocks, so it cannot grow")
    tensors, _ = read(arguments.weights)
    fill(network, arguments.network, grow(network, tensors), None, arguments.weights)
    export(network, arguments.out, {"network": arguments.network, "grown_from": str(arguments.weights)})
    print(f"{arguments.out}: {arguments.network} with what {arguments.weights} does")


if __name__ == "__main__":
    sys.exit(main())
