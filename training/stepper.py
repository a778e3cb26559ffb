"""One optimizer step, and everything that it changes."""

import contextlib
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from . import distributed
from .ema import EMA
from .gelu import compile_gradient
from .recipes import Recipe
from .run import Run
from .tasks import Batch, Task


class Stepper:
    """A task, its optimizer and the average of its weights.

    Everything random in step s is drawn from (seed, s, rank), so `state` holds no random state. `step` counts
    the steps done; `sums` adds up the losses since `averages` was last called.
    """

    def __init__(self, recipe: Recipe, task: Task, run: Run):
        self.recipe, self.run = recipe, run
        distributed.share_batch_norm(task.network, run.device)
        self.task = task.to(run.device, memory_format=torch.channels_last).train()
        self.ema = EMA(task.network, recipe.ema)
        self.optimizer = recipe.make_optimizer(task)
        self.step = 0
        self.sums: dict[str, torch.Tensor] = {}
        if run.compile:
            self.task.compile()
        else:
            compile_gradient(task.network, run.device, run.dtype)
        self._model = self._shared() if distributed.world_size() > 1 else self.task

    def _shared(self) -> nn.Module:
        ids = [self.run.device.index] if self.run.device.type == "cuda" else None
        return DistributedDataParallel(self.task, device_ids=ids)

    def __call__(self, parts: list[Batch]) -> None:
        """One step on this process' share of a batch, given in parts."""
        torch.manual_seed(_seed(self.run.seed, self.step, distributed.rank()))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_at(self.step) * group["share"]
        self.optimizer.zero_grad(set_to_none=True)
        losses: dict[str, torch.Tensor] = {}
        for i, part in enumerate(parts):
            with self._synchronised(last=i == len(parts) - 1):
                found = self._forward(part)
                (found["loss"] / len(parts)).backward()
            for name, value in found.items():
                losses[name] = losses.get(name, 0) + value.detach() / len(parts)
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        norm = nn.utils.clip_grad_norm_(weights, self.recipe.clip_norm)
        self.optimizer.step()
        self.step += 1
        self.ema.update(self.task.network, self.step)
        for name, value in {**losses, "gradient_norm": norm, "count": torch.ones_like(norm)}.items():
            self.sums[name] = self.sums.get(name, 0) + value.double()

    def _forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        device, dtype = self.run.device, self.run.dtype
        batch = {name: batch[name].to(device, non_blocking=True) for name in self.task.inputs}
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            return self._model(batch)

    def _synchronised(self, last: bool) -> contextlib.AbstractContextManager:
        """Gradients are averaged over the processes once per step: with the last part."""
        return contextlib.nullcontext() if last or self._model is self.task else self._model.no_sync()

    def averages(self) -> dict[str, float]:
        """The losses since the last call, averaged over steps and processes."""
        totals = distributed.total(torch.stack(list(self.sums.values()))).tolist()
        sums = dict(zip(self.sums, totals, strict=True))
        self.sums = {}
        count = sums.pop("count")
        return {name: value / count for name, value in sums.items()}

    def healthy(self) -> bool:
        """Whether all losses since the last call of `averages` were finite numbers."""
        return all(torch.isfinite(value) for value in self.sums.values())

    def state(self) -> dict[str, Any]:
        beside = {k: v for k, v in self.task.state_dict().items() if not k.startswith("network.")}
        return {
            "step": self.step,
            "sums": self.sums,
            "network": self.task.network.state_dict(),
            "beside": beside,  # what the task has but the network: an MMP-Net for the loss alone
            "ema": self.ema.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def fits(self, state: dict[str, Any]) -> bool:
        """Whether the optimizer of that `state` had the same groups of weights."""
        then, now = state["optimizer"]["param_groups"], self.optimizer.param_groups
        return [len(group["params"]) for group in then] == [len(group["params"]) for group in now]

    def load(self, state: dict[str, Any]) -> None:
        """Takes the place of the stepper whose `state` it was; the settings of this recipe go on."""
        self.step = state["step"]
        mine = distributed.rank() == 0  # whose sums are in the file
        same = state["sums"].keys() <= {
            *self.task.losses,
            "gradient_norm",
            "count",
        }  # no, where the loss is another now
        self.sums = {name: value.to(self.run.device) * mine for name, value in state["sums"].items() if same}
        self.task.network.load_state_dict(state["network"])
        self.task.load_state_dict(state.get("beside", {}), strict=False)
        self.ema.network.load_state_dict(state["ema"])
        own = [{key: value for key, value in group.items() if key != "params"} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(self.optimizer.param_groups, own, strict=True):
            group.update(settings)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
