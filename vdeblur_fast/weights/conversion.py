"""Weights that the authors of MMP-RNN and ESTRNN have published, as weights of our networks."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ..errors import UnknownNetwork, WeightsError
from ..reference.networks import build, networks
from .authors import LAYOUTS, Layout, layout_of, published_name, size_of
from .checkpoint import read_checkpoint

COLOURS = ("rgb", "bgr")


@dataclass(frozen=True)
class Pairing:
    """Which tensor of a checkpoint becomes which of a network's.

    names: ours -> the authors'; a tensor that their code does not have keeps our name.
    missing, unexpected: names of the authors'. misshapen: each with what is there and what is wanted, in words.
    unused: of the checkpoint, left out on purpose.
    """

    names: dict[str, str]
    missing: list[str]
    unexpected: list[str]
    misshapen: dict[str, str]
    unused: list[str]

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.misshapen)


class MisfitError(WeightsError):
    """A checkpoint that is not of this network; `pairing` has the whole list of what does not fit."""

    def __init__(self, sentence: str, pairing: Pairing):
        super().__init__(sentence)
        self.pairing = pairing


def convert(
    path: str | Path, network: str | nn.Module, *, colours: Literal["rgb", "bgr"] = "rgb"
) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint of the published MMP-RNN, ESTRNN or MMP-Net code, as our network's `state_dict`.

    path: a PyTorch checkpoint, bare or as trainers wrap it, or a .safetensors file; nothing in it is run (see
    `read_checkpoint`). Names are the authors' (see `weights/authors.py`, which says where they are from and how their
    code compares with ours), or ours already.
    network: a name, such as "mmp-rnn-a9b10c18-released" or "estrnn-c80b15", or a module: `ESTRNN(16, 9, "relu")`.
    colours: "bgr" for weights that were trained on frames read by OpenCV, as those for BSD were: the first and last
    layers are turned round, so that the network takes and gives RGB.

    -> tensors in the network's dtypes, on the CPU, that share no memory.

    Raises UnknownNetwork for a name that does not exist or a network that nobody else has published, and WeightsError
    for a file that cannot be read; MisfitError (a WeightsError) says what is missing, unexpected or of another shape,
    and which network it would fit. Warns of weights that the network has no use for.

    Equivalent to:
        theirs = torch.load(path, weights_only=True)["state_dict"]
        return {ours: theirs["module.model." + published_name(ours, names)] for ours in network.state_dict()}
    """
    if colours not in COLOURS:
        raise ValueError(f'colours must be "rgb" or "bgr", got {colours!r}')
    name = network if isinstance(network, str) else type(network).__name__
    layout, own = _target(network)
    tensors = read_checkpoint(path)
    pairing = pair(tensors, own, layout)
    if not pairing.fits:
        raise MisfitError(_sentence(path, name, pairing, tensors), pairing)
    if pairing.unused:
        warnings.warn(f"{name} has no use for {_some(pairing.unused, 'tensors')} of {path}", UserWarning, stacklevel=2)
    weights = {ours: tensors[theirs].detach().to(own[ours].dtype).clone() for ours, theirs in pairing.names.items()}
    if spoilt := [ours for ours, tensor in weights.items() if not tensor.isfinite().all()]:
        raise WeightsError(f"checkpoint {path} is damaged: {_some(spoilt, 'tensors not finite')}; get it again")
    return weights if colours == "rgb" else _turned(weights, layout)


def pair(tensors: dict[str, torch.Tensor], own: dict[str, torch.Tensor], layout: Layout) -> Pairing:
    """tensors of a checkpoint, a network's own (on any device), how the authors lay that network out."""
    published = {ours: published_name(ours, layout.names) or ours for ours in own}
    names = max((published, {ours: ours for ours in own}), key=lambda names: len(tensors.keys() & names.values()))
    wanted = set(names.values())
    surplus = [theirs for theirs in tensors if theirs not in wanted]
    unused = [theirs for theirs in surplus if layout.unused and theirs.startswith(layout.unused)]
    misshapen = {}
    for ours, theirs in names.items():
        if theirs in tensors and (problem := _differs(tensors[theirs], own[ours])):
            misshapen[theirs] = problem
    return Pairing(
        names,
        missing=[theirs for theirs in names.values() if theirs not in tensors],
        unexpected=[theirs for theirs in surplus if theirs not in unused],
        misshapen=misshapen,
        unused=unused,
    )


def _target(network: str | nn.Module) -> tuple[Layout, dict[str, torch.Tensor]]:
    if isinstance(network, str):
        if network not in networks():
            raise UnknownNetwork(f"unknown network {network!r}; choose one of {', '.join(networks())}")
        network = _shape_of(name := network)
    elif isinstance(network, nn.Module):
        name = type(network).__name__
    else:
        raise TypeError(f"network must be a name or a module, got {type(network).__name__}")
    layout = layout_of(network)
    if layout is None:
        kinds = ", ".join(kind.__name__ for kind in LAYOUTS)
        raise UnknownNetwork(f"no published checkpoints are known of {name!r}; those of {kinds} can be converted")
    return layout, network.state_dict()


def _shape_of(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(name)


def _differs(found: torch.Tensor, wanted: torch.Tensor) -> str | None:
    if found.is_nested or found.is_quantized or found.layout is not torch.strided or found.device.type != "cpu":
        return "no plain tensor"
    if found.shape != wanted.shape:
        return f"{tuple(found.shape)} for {tuple(wanted.shape)}"
    if found.is_floating_point() != wanted.is_floating_point():
        return f"{found.dtype} for {wanted.dtype}"
    return None


def _sentence(path: str | Path, name: str, pairing: Pairing, tensors: dict[str, torch.Tensor]) -> str:
    misshapen = [f"{theirs} {problem}" for theirs, problem in pairing.misshapen.items()]
    parts = [
        _some(pairing.missing, "tensors missing"),
        _some(pairing.unexpected, "not of this network"),
        _some(misshapen, "of another shape or kind"),
    ]
    size = size_of(tensors)
    fitting = [other for other in networks() if size in other.split("-") and _fits(tensors, other)]
    remedy = f"it fits {' and '.join(fitting)}" if fitting else "choose the network that it was made for"
    return f"checkpoint {path} does not fit {name}: {', '.join(parts)}; {remedy}"


def _fits(tensors: dict[str, torch.Tensor], name: str) -> bool:
    network = _shape_of(name)
    layout = layout_of(network)
    return layout is not None and pair(tensors, network.state_dict(), layout).fits


def _some(names: list[str], what: str) -> str:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names)} {what}" + (f" ({shown})" if names else "")


def _turned(weights: dict[str, torch.Tensor], layout: Layout) -> dict[str, torch.Tensor]:
    """Weights for BGR frames -> the same function of RGB frames, and the other way round."""
    weights = dict(weights)
    for key in (f"{name}.weight" for name in layout.frames_in):
        if key in weights:
            weights[key] = weights[key].flip(1)
    for key in (f"{name}.{kind}" for name in layout.images_out for kind in ("weight", "bias")):
        if key in weights:
            weights[key] = weights[key].flip(0)
    return weights
