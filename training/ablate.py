"""`python -m vdeblur_fast.training.ablate NETWORK OUT`: weights of `strcnn` or `cnn` that are those of the trained
`strcnn-dtb` but for what such a network does not have, for a training to go on from.

STRCNN lacks the blending: of the features it takes the current frame's alone. The CNN lacks F_{n-1} too, and has as
many more features of the current frames in its place; these begin small, for what reads them was trained to read
F_{n-1}.
"""

import argparse
import sys
from pathlib import Path

import torch

from vdeblur_fast import weights
from vdeblur_fast.errors import told
from vdeblur_fast.reference.networks import STRCNN, build

from .arguments import seed
from .export import export, new_weights

WHOLE = "strcnn-dtb"
NETWORKS = ("strcnn", "cnn")
SMALL = 0.1  # of what is new, beside weights that keep the size of a signal


@torch.no_grad()
def ablate(network: STRCNN, whole: STRCNN) -> None:
    """Sets all weights of `network`, which has no blending."""
    network.start_from_identity()
    has = network.state_dict()
    for name, value in whole.state_dict().items():
        if name not in has:
            continue
        if has[name].shape == value.shape:
            has[name].copy_(value)
        else:  # the convolution that makes more features of the current frames
            has[name].mul_(SMALL)[: len(value)].copy_(value)


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Writes the weights; 0 when done, 2 for a mistake of the user's."""
    parser = argparse.ArgumentParser("python -m vdeblur_fast.training.ablate", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("network", choices=NETWORKS, metavar="NETWORK", help=" or ".join(NETWORKS))
    add("out", type=Path, metavar="OUT", help="the .safetensors to write, for --init of a training")
    add("--seed", type=seed, default=0, metavar="N")
    arguments = parser.parse_args(argv)
    new_weights(arguments.out)
    torch.manual_seed(arguments.seed)
    network, whole = build(arguments.network), build(WHOLE)
    weights.load(whole, WHOLE)
    ablate(network, whole)
    export(network, arguments.out, {"network": arguments.network, "ablated_from": WHOLE})
    print(arguments.out)


if __name__ == "__main__":
    sys.exit(main())
