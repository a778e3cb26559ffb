"""What a recipe is: everything that decides how a network is trained, but for the data and the machine."""

import json
import math
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import torch
from torch import nn

from vdeblur_fast.errors import UserError
from vdeblur_fast.reference.networks import build
from vdeblur_fast.weights import load_file

from ..checkpoint import load_checkpoint
from ..gsta_task import NEAR, RestorationTask, SelectionTask
from ..muon import Muon
from ..schedule import Schedule, learning_rate
from ..synthesis.shutter import Shutter
from ..tasks import DeblurTask, MagnitudeTask, SquaredTask, Task

COUNTS = {"frames", "crop", "batch", "steps", "decay_every", "taus", "us"}  # settings that are at least 1
ABOVE_ZERO = {"learning_rate", "decay", "clip_norm", "psnr_floor"}


@dataclass(frozen=True)
class Start:
    """What a stage takes over from an earlier one of its course: the weights whose names begin with `source`, under
    names that begin with `target`; all of them where both are empty. A convolution that reads fewer channels here,
    because the network reads fewer frames, takes those in the middle."""

    stage: str
    source: str = ""
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is trained. The defaults are those of MMP-RNN (section 4.2); `ours` names what no paper
    says.

    network: name for `vdeblur_fast.build`. frames, crop: size of a training clip. batch: clips of a step, over all
    processes. steps: optimizer steps. warmup: of them, with rising learning rate. clip_norm: largest norm of the
    gradient. ema: decay of the averaged weights. ends: train on the frames with all neighbours ("valid") or on all.
    *_weight, channels, distance, fidelity, psnr_floor: the loss (Eq. 6 to 8). magnitude_network: the MMP-Net that is
    trained before. identity_start: start from a network that gives back its input, where the network can. skip_rate:
    part of the learning rate that the weights get which carry the picture itself (the network's `carriers`); they start
    as the identity, and all of them act on the same few pixels, so that at the full rate they drown what the rest
    learns. hold_picture: instead, what the picture passes through (the network's `picture_path`) does not learn at all,
    and the rest of those weights at the full rate, by Adam. optimizer: "muon" steps the kernels between feature maps by
    Muon, everything else by Adam. centred_kernels: those of Muon keep the mean and the size that they start with.
    still_norms: batch norms keep the statistics that they start with, mean 0 and deviation 1, and are trained as scales
    and shifts. degraded: some of the blurry clips get noise and compression. varied: synthesised clips are of every
    kind (see `synthesis.Variety`).

    kind: "deblur" has MMP-RNN's loss; "squared" the squared error, and `weight_penalty` times the squared length of all
    weights; "restoration" and "selection" are GSTA's, with `mask_weight` and `mask_threshold` for the blur masks and
    `us`, of which each clip gets one, alpha1 and alpha2 for the frame selection. decay, decay_every: of the schedule
    "staircase". taus, every: exposures and periods of the clips (see `synthesis.Shutter`); none for a mixture of many.
    starts, frozen: in a stage of a course, whose weights it begins with, and which parameters it leaves as they are, as
    patterns of their names.
    """

    name: str
    network: str
    source: str
    ours: str = ""
    kind: Literal["deblur", "magnitude", "squared", "restoration", "selection"] = "deblur"
    frames: int = 10
    crop: int = 256
    batch: int = 8
    steps: int = 238_000
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-8
    schedule: Schedule = "cosine"
    warmup: int = 0
    decay: float = 0.5
    decay_every: int = 1
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float = 20.0
    ema: float = 0.999
    ends: Literal["valid", "replicate"] = "valid"
    gradient_weight: float = 0.5
    magnitude_weight: float = 1.0
    channels: Literal["sum", "mean"] = "sum"
    distance: Literal["squared", "absolute"] = "squared"
    fidelity: Literal["charbonnier", "psnr"] = "charbonnier"
    psnr_floor: float = 1e-5
    magnitude_network: str | None = None
    identity_start: bool = False
    skip_rate: float = 1.0
    hold_picture: bool = False
    optimizer: Literal["adam", "muon"] = "adam"
    centred_kernels: bool = False
    still_norms: bool = False
    degraded: bool = True
    varied: bool = False
    taus: tuple[int, ...] = ()
    every: int = 0
    weight_penalty: float = 0.0
    mask_weight: float = 0.1
    mask_threshold: float = 0.04
    us: tuple[int, ...] = (5,)
    alpha1: float = 1.0
    alpha2: float = 1.0
    starts: tuple[Start, ...] = ()
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            choices, value = get_args(kind), getattr(self, name)
            if get_origin(kind) is Literal and value not in choices:
                raise UserError(f"{name} must be one of {', '.join(choices)}, got {value}")
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int | float):
                    self._check(name, number)

    def _check(self, name: str, number: float) -> None:
        least = 1 if name in COUNTS else 0
        if not least <= number < math.inf or (number == 0 and name in ABOVE_ZERO):
            raise UserError(f"{name} must be {'above' if name in ABOVE_ZERO else 'at least'} {least}, got {number}")
        if number >= 1 and name in ("ema", "betas"):
            raise UserError(f"{name} must be below 1, got {number}")

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
        for name, weight in network.named_parameters():
            weight.requires_grad_(not any(fnmatch(name, pattern) for pattern in self.frozen))
        if self.hold_picture:
            hold(network)
        task = self._task(network, magnitude)
        task.still_norms = self.still_norms
        return task

    def _task(self, network: nn.Module, magnitude: str | None) -> Task:
        if magnitude is not None and self.kind != "deblur":
            raise UserError(f"Recipe {self.name} has no use for an MMP-Net; leave out --magnitude {magnitude}")
        masks = {"mask_weight": self.mask_weight, "threshold": self.mask_threshold}
        fidelity = {"fidelity": self.fidelity, "psnr_floor": self.psnr_floor}
        match self.kind:
            case "magnitude":
                return MagnitudeTask(network, self.gradient_weight)
            case "squared":
                return SquaredTask(network, self.ends, self.weight_penalty)
            case "restoration":
                return RestorationTask(network, ends=self.ends, **fidelity, **masks)
            case "selection":
                return SelectionTask(network, self.us, self.alpha1, self.alpha2, **fidelity, **masks)
        return self._deblur_task(network, magnitude)

    def _deblur_task(self, network: nn.Module, magnitude: str | None) -> DeblurTask:
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
            fidelity=self.fidelity,
            psnr_floor=self.psnr_floor,
        )

    def take_over(self, task: Task, stages: Path) -> None:
        """Gives `task` the weights that it `starts` with.

        stages: the folder with a folder for each stage of the course. What a stage has beside its network, GSTA's
        critic, goes with the whole network. Raises UserError for a stage that is not there or not at its end.
        """
        own = task.network.state_dict()
        for start in self.starts:
            path = stages / start.stage / "checkpoint.pt"
            if not path.is_file():
                raise UserError(f"recipe {self.name} starts from {path}, which does not exist; train that stage first")
            state = load_checkpoint(path, mapped=True)
            if state["step"] < state["settings"]["steps"]:
                raise UserError(
                    f"recipe {self.name} starts from {path}, which is at step {state['step']} of "
                    f"{state['settings']['steps']}; finish that stage first"
                )
            taken = {
                (target := start.target + name.removeprefix(start.source)): _middle(value, own.get(target))
                for name, value in state["network"].items()
                if name.startswith(start.source)
            }
            if not taken or any(name not in own or own[name].shape != value.shape for name, value in taken.items()):
                raise UserError(f"{path} does not fit {self.network}; choose another --out")
            task.network.load_state_dict(taken, strict=False)
            if not start.source:
                task.load_state_dict(state["beside"], strict=False)

    def check_crop(self, network: nn.Module, crop: int, option: str = "--crop") -> None:
        """Raises UserError where the network cannot work on frames of that side."""
        multiple, least = getattr(network, "multiple", 1), max(16, getattr(network, "minimum", 1))
        if crop < least or crop % multiple:
            raise UserError(f"{option} {crop} must be a multiple of {multiple} and at least {least}")

    def _check_clips(self, network: nn.Module) -> None:
        """Raises UserError where the network cannot work on clips of this size."""
        self.check_crop(network, self.crop)
        reach = getattr(network, "past", 0) + 1 + getattr(network, "future", 0)
        if self.kind in ("restoration", "selection"):
            reach = reach if self.kind == "selection" else 2 * NEAR + 1
            if self.frames != reach:
                raise UserError(f"--frames {self.frames} does not fit {self.name}; give {reach}")
        if self.ends == "valid" and self.frames < reach:
            raise UserError(f"--frames {self.frames} is too short for {self.name}; give at least {reach}")

    def uses_magnitude(self) -> bool:
        """Whether a trained MMP-Net takes part, in the network or in the loss."""
        inside = self.magnitude_network is not None and "no-mmam" not in self.network
        return self.kind == "deblur" and (inside or self.magnitude_weight > 0)

    def make_optimizer(self, task: Task) -> torch.optim.Optimizer:
        """Adam, or Muon beside it; "share" of a group is its part of the learning rate."""
        trained = {
            name.removeprefix("network."): weight for name, weight in task.named_parameters() if weight.requires_grad
        }
        groups: dict[str, list[nn.Parameter]] = {"rest": [], "skip": [], "kernels": []}
        held = task.network.picture_path() if self.hold_picture else ()
        for name, weight in trained.items():
            group = self._group(task.network, name, weight)
            if name in held:  # by Adam: a step of Muon's has no zeros
                group = "rest"
            groups[group].append(weight)
        settings = {"rest": {"share": 1.0}, "skip": {"share": self.skip_rate}}
        settings["kernels"] = {"share": 1.0, "orthogonal": True, "centred": self.centred_kernels}
        chosen = [{"params": weights, **settings[name]} for name, weights in groups.items() if weights]
        make = Muon if self.optimizer == "muon" else torch.optim.Adam
        fused = next(iter(trained.values())).device.type == "cuda"
        return make(chosen, self.learning_rate, betas=self.betas, weight_decay=self.weight_decay, fused=fused)

    def _group(self, network: nn.Module, name: str, weight: nn.Parameter) -> str:
        """Muon is for what lies between feature maps: not what reads or writes a picture, and nothing narrow."""
        if self.skip_rate != 1 and any(fnmatch(name, part) for part in getattr(network, "carriers", ())):
            return "skip"
        between = weight.ndim == 4 and min(weight.shape[:2]) >= 8 and "head" not in name
        return "kernels" if self.optimizer == "muon" and between else "rest"

    def learning_rate_at(self, step: int) -> float:
        return learning_rate(
            step,
            self.steps,
            self.learning_rate,
            self.final_learning_rate,
            self.warmup,
            self.schedule,
            self.decay,
            self.decay_every,
        )

    @property
    def stage(self) -> str:
        """Its name within its course."""
        return self.name.rpartition("/")[2]

    def shutter(self) -> Shutter | None:
        return Shutter(self.taus, self.every) if self.taus else None

    def scaled(self, budget: float) -> "Recipe":
        """The same in that part of the steps: everything that is counted in steps shrinks or grows alike."""
        steps = {name: max(1, round(getattr(self, name) * budget)) for name in ("steps", "decay_every")}
        return replace(self, **steps, warmup=round(self.warmup * budget))

    def smoke(self) -> "Recipe":
        """The same in seconds: to see that everything runs, not to get weights."""
        frames = self.frames if self.kind == "selection" or self.frames <= 7 else 5
        return replace(self, frames=frames, crop=32, batch=2, steps=4, warmup=0)

    def settings(self) -> dict[str, str | int | float | bool | list | None]:
        """All settings, as JSON has them."""
        return json.loads(json.dumps(asdict(self)))


def _middle(weight: torch.Tensor, like: torch.Tensor | None) -> torch.Tensor:
    """The channels in the middle of what a convolution reads, as many as `like` has; other weights as they are."""
    if like is None or weight.ndim != 4 or weight.shape[1] <= like.shape[1]:
        return weight
    return weight.narrow(1, (weight.shape[1] - like.shape[1]) // 2, like.shape[1]).clone()


def hold(network: nn.Module) -> None:
    """From now on what the network's picture passes through gets no gradient.

    Raises UserError for a network that does not say what that is.
    """
    if not hasattr(network, "picture_path"):
        raise UserError(f"hold_picture: {type(network).__name__} does not say where its picture passes; leave it out")
    path = network.picture_path()

    def without(name: str, gradient: torch.Tensor) -> torch.Tensor:
        path[name] = path[name].to(gradient.device)  # the network moves after this, once
        return gradient.masked_fill(path[name], 0)

    for name in path:
        weight = network.get_parameter(name)
        if weight.requires_grad:
            weight.register_hook(lambda gradient, name=name: without(name, gradient))
