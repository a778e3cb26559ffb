"""`python -m vdeblur_fast.training.revive NETWORK FROM OUT --prepared FOLDER`: weights whose silent units begin anew,
for a training to go on from.

Behind a ReLU a unit that is zero wherever one looks learns nothing more, and in a long training many get there, those
of the deepest levels first. Each of them gets a new kernel here, centred, so that the mean of what it reads does not
silence it again, and whatever reads it begins with zeros: the network gives what it gave before, as far as the unit
was silent.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from tqdm import trange

from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.modules import RDB
from vdeblur_fast.reference.networks import GSTANet, VideoNetwork, build, networks
from vdeblur_fast.weights import load_file

from .arguments import positive, seed, share
from .export import export, new_weights
from .prepared import PreparedClips

BESIDE = 0.2  # how large what a revived unit hears is beside what it passes on
FRAMES = 5  # of a clip
Convolution = nn.Conv2d | nn.ConvTranspose2d


class Layer(NamedTuple):
    """Units behind a ReLU. made: the convolution that makes them; norm: its batch norm; said: what gives them, before
    or behind the ReLU; readers: what reads them, and the channel at which they begin there. passed_on: the dense block
    that adds them to what it makes of them, where the units are what they hear and what they were given together."""

    name: str
    made: Convolution
    norm: nn.BatchNorm2d | None
    said: nn.Module
    readers: list[tuple[Convolution, int]]
    passed_on: RDB | None = None


def layers(network: nn.Module) -> Iterator[Layer]:
    """Those of dense blocks, of convolutions in a row, and what GSTA-Net hears at a quarter of the resolution."""
    for name, module in network.named_modules():
        if isinstance(module, RDB) and module.activation == "relu":
            growth = module.dense[0].out_channels
            for i, conv in enumerate(module.dense):
                first = module.fuse.out_channels + i * growth
                readers = [(reader, first) for reader in (*module.dense[i + 1 :], module.fuse)]
                yield Layer(f"{name}.dense.{i}", conv, None, conv, readers)
        elif isinstance(module, nn.Sequential):
            yield from _in_a_row(name, list(module))
    if isinstance(network, GSTANet) and network.fusion == "gated":
        block, (conv, norm) = network.decoder3[0], network.fuse3.leave
        yield Layer("fuse3", conv, norm, network.fuse3, [(reader, 0) for reader in (*block.dense, block.fuse)], block)


def _in_a_row(name: str, parts: list[nn.Module]) -> Iterator[Layer]:
    """A convolution, perhaps its batch norm, a ReLU, and a convolution that reads what that gives."""
    for i, conv in enumerate(parts):
        after = parts[i + 1 : i + 4]
        norm = after.pop(0) if after and isinstance(after[0], nn.BatchNorm2d) else None
        match conv, *after:
            case nn.Conv2d() | nn.ConvTranspose2d(), nn.ReLU(), nn.Conv2d() | nn.ConvTranspose2d() as reader, *_:
                if conv.weight.requires_grad:  # an MMP-Net does not learn
                    yield Layer(f"{name}.{i}", conv, norm, norm or conv, [(reader, 0)])


@torch.no_grad()
def silent_units(network: VideoNetwork, clips: torch.Tensor, silent: float) -> list[tuple[Layer, list[int]]]:
    """The units of each layer that say something at no more than the share `silent` of all places of clips
    (N, T, 3, H, W)."""
    found = list(layers(network))
    shares: dict[str, list[torch.Tensor]] = {layer.name: [] for layer in found}
    hooks = []
    for layer in found:

        def count(module, given, out, name=layer.name):
            shares[name].append((out > 0).float().mean((0, 2, 3)))

        hooks.append(layer.said.register_forward_hook(count))
    network.eval()
    for number in trange(len(clips), unit="clip"):
        network(clips[number : number + 1], ends="replicate")
    for hook in hooks:
        hook.remove()
    means = {name: torch.stack(seen).mean(0) for name, seen in shares.items()}
    return [(layer, (means[layer.name] <= silent).nonzero().flatten().tolist()) for layer in found]


@torch.no_grad()
def revive(silent: list[tuple[Layer, list[int]]]) -> None:
    """Gives those units new kernels, and lets nothing hear them yet."""
    for layer, units in silent:
        for unit in units:
            for reader, first in layer.readers:
                _of_input(reader, first + unit).zero_()
            if layer.passed_on is not None:  # which adds them again
                layer.passed_on.fuse.weight[unit, unit] = -1
    for layer, units in silent:
        for unit in units:
            kernel = _of_output(layer.made, unit)
            kernel.normal_()
            kernel -= kernel.mean()
            kernel *= (2 / _taps(layer.made)) ** 0.5
            layer.made.bias[unit] = 0
            if layer.norm is not None:
                layer.norm.weight[unit] = 1 if layer.passed_on is None else BESIDE
                layer.norm.bias[unit] = 0


def _of_input(conv: Convolution, channel: int) -> torch.Tensor:
    return conv.weight[channel] if isinstance(conv, nn.ConvTranspose2d) else conv.weight[:, channel]


def _of_output(conv: Convolution, channel: int) -> torch.Tensor:
    return conv.weight[:, channel] if isinstance(conv, nn.ConvTranspose2d) else conv.weight[channel]


def _taps(conv: Convolution) -> float:
    """How many numbers make one."""
    taps = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
    return taps / (conv.stride[0] * conv.stride[1]) if isinstance(conv, nn.ConvTranspose2d) else taps


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Writes the weights; 0 when done, 2 for a mistake of the user's."""
    parser = argparse.ArgumentParser("python -m vdeblur_fast.training.revive", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("network", choices=networks(), metavar="NETWORK", help="a network with ReLUs, such as gsta-net-small")
    add("weights", type=Path, metavar="FROM", help="its weights")
    add("out", type=Path, metavar="OUT", help="the .safetensors to write, for --init of a training")
    add("--prepared", type=Path, metavar="FOLDER", required=True, action="append", help="samples; may come again")
    add("--silent", type=share, default=0.001, metavar="X", help="where units that count so may speak, of 1 (0.001)")
    add("--samples", type=positive, default=40, metavar="N", help="how many are looked at (40)")
    add("--crop", type=positive, default=112, metavar="N", help="their side in pixels (112)")
    add("--seed", type=seed, default=0, metavar="N")
    arguments = parser.parse_args(argv)
    new_weights(arguments.out)
    network = build(arguments.network)
    if not isinstance(network, VideoNetwork) or not any(layers(network)):
        raise UserError(f"{arguments.network} has no units behind ReLUs that this knows; nothing can be revived")
    if arguments.crop % network.multiple:
        raise UserError(f"--crop {arguments.crop} must be a multiple of {network.multiple} for {arguments.network}")
    load_file(network, arguments.weights, arguments.network)
    torch.manual_seed(arguments.seed)
    clips = PreparedClips(arguments.prepared, arguments.crop, FRAMES, arguments.seed)
    silent = silent_units(
        network, torch.stack([clips[i]["blurry"] for i in range(arguments.samples)]), arguments.silent
    )
    revive(silent)
    export(network, arguments.out, {"network": arguments.network, "revived_from": str(arguments.weights)})
    for layer, units in silent:
        if units:
            print(f"{layer.name}: {len(units)} of {layer.made.out_channels} units begin anew")
    print(arguments.out)


if __name__ == "__main__":
    sys.exit(main())
