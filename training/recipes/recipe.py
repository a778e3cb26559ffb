"""What a recipe is: everything that decides how a network is trained, but for the data and the machine."""

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args, get_origin, get_type_hints

import torch
from torch import nn

from vdeblur_fast.errors import UserError
from vdeblur_fast.reference.networks import build
from vdeblur_fast.weights import load_file

from ..muon import Muon
from ..schedule import Schedule, learning_rate
from ..tasks import DeblurTask, MagnitudeTask, Task


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is trained. The defaults are those of MMP-RNN (section 4.2); `ours` names what no paper
    says.

    network: name for `vdeblur_fast.build`. frames, crop: size of a training clip. batch: clips of a step,
    over all processes. steps: optimizer steps. warmup: of them, with rising learning rate. clip_norm: largest
    norm of the gradient. ema: decay of the averaged weights. ends: train on the frames with all neighbours
    ("valid") or on all. *_weight, channels, distance: the loss (Eq. 6 to 8). magnitude_network: the MMP-Net
    that is trained before. identity_start: start from a network that gives back its input, where the network
    can. skip_rate: part of the learning rate that the global skip gets; it starts as the identity, and all of its
    weights act on the same few pixels, so that at the full rate it drowns what the rest learns. optimizer: "muon"
    steps the kernels between feature maps by Muon, everything else by Adam. degraded: some of the blurry clips get
    noise and compression.
    """

    name: str
    network: str
    source: str
    ours: str = ""
    kind: Literal["deblur", "magnitude"] = "deblur"
    frames: int = 10
    crop: int = 256
    batch: int = 8
    steps: int = 238_000
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-8
    schedule: Schedule = "cosine"
    warmup: int = 0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float = 20.0
    ema: float = 0.999
    ends: Literal["valid", "replicate"] = "valid"
    gradient_weight: float = 0.5
    magnitude_weight: float = 1.0
    channels: Literal["sum", "mean"] = "sum"
    distance: Literal["squared", "absolute"] = "squared"
    magnitude_network: str | None = None
    identity_start: bool = False
    skip_rate: float = 1.0
    optimizer: Literal["adam", "muon"] = "adam"
    degraded: bool = True

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            choices, value = get_args(kind), getattr(self, name)
            if get_origin(kind) is Literal and value not in choices:
                raise UserError(f"{name} must be one of {', '.join(choices)}, got {value}")

    def build_network(self) -> nn.Module:
        """The network with the weights that the training starts from."""
        network = build(self.network)
        if self.identity_start:
            network.start_from_identity()
        return network

    def make_task(self, magnitude: str | None = None, init: str | None = None) -> Task:
        """The network with its loss.

        magnitude: file with the weights of the trained MMP-Net. init: file with weights to start from.
        Raises UserError for files that are missing, damaged or of another network.
        """
        network = self.build_network()
        self._check_clips(network)
        if init is not None:
            load_file(network, init, self.network)
        if self.kind == "magnitude":
            return MagnitudeTask(network, self.gradient_weight)
        own = getattr(network, "magnitude_net", None)
        needs_another = own is None and self.magnitude_weight > 0
        separate = build(self.magnitude_network) if needs_another and self.magnitude_network else None
        net = own if own is not None else separate
        if magnitude is not None:
            if net is None:
                raise UserError(f"Recipe {self.name} has no use for an MMP-Net; leave out --magnitude {magnitude}")
            load_file(net, magnitude, self.magnitude_network)
        return DeblurTask(
            network,
            self.ends,
            separate,
            gradient_weight=self.gradient_weight,
            magnitude_weight=self.magnitude_weight,
            channels=self.channels,
            distance=self.distance,
        )

    def _check_clips(self, network: nn.Module) -> None:
        """Raises UserError where the network cannot work on clips of this size."""
        multiple, least = getattr(network, "multiple", 1), max(16, getattr(network, "minimum", 1))
        if self.crop < least or self.crop % multiple:
            raise UserError(f"--crop {self.crop} must be a multiple of {multiple} and at least {least}")
        reach = getattr(network, "past", 0) + 1 + getattr(network, "future", 0)
        if self.ends == "valid" and self.frames < reach:
            raise UserError(f"--frames {self.frames} is too short for {self.name}; give at least {reach}")

    def uses_magnitude(self) -> bool:
        """Whether a trained MMP-Net takes part, in the network or in the loss."""
        inside = self.magnitude_network is not None and "no-mmam" not in self.network
        return self.kind == "deblur" and (inside or self.magnitude_weight > 0)

    def make_optimizer(self, task: Task) -> torch.optim.Optimizer:
        """Adam, or Muon beside it; "share" of a group is its part of the learning rate."""
        trained = {name: weight for name, weight in task.network.named_parameters() if weight.requires_grad}
        groups: dict[str, list[nn.Parameter]] = {"rest": [], "skip": [], "kernels": []}
        for name, weight in trained.items():
            groups[self._group(name, weight)].append(weight)
        settings = {"rest": {"share": 1.0}, "skip": {"share": self.skip_rate}}
        settings["kernels"] = {"share": 1.0, "orthogonal": True}
        chosen = [{"params": weights, **settings[name]} for name, weights in groups.items() if weights]
        make = Muon if self.optimizer == "muon" else torch.optim.Adam
        fused = next(iter(trained.values())).device.type == "cuda"
        return make(chosen, self.learning_rate, betas=self.betas, weight_decay=self.weight_decay, fused=fused)

    def _group(self, name: str, weight: nn.Parameter) -> str:
        """Muon is for what lies between feature maps: not what reads or writes a picture, and nothing narrow."""
        if self.skip_rate != 1 and name.startswith("skip."):
            return "skip"
        between = weight.ndim == 4 and min(weight.shape[:2]) >= 8 and "head" not in name
        return "kernels" if self.optimizer == "muon" and between else "rest"

    def learning_rate_at(self, step: int) -> float:
        return learning_rate(step, self.steps, self.learning_rate, self.final_learning_rate, self.warmup, self.schedule)

    def smoke(self) -> "Recipe":
        """The same in seconds: to see that everything runs, not to get weights."""
        return replace(self, frames=1 if self.kind == "magnitude" else 5, crop=32, batch=2, steps=4, warmup=0)

    def settings(self) -> dict[str, str | int | float | bool | list | None]:
        """All settings, as JSON has them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
