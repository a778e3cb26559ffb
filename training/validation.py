"""How good the weights are on clips that are not trained on: always the same ones."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from . import distributed
from .tasks import Batch, Task


class Validation:
    """The first `clips` samples of `dataset`, made once and kept; the processes share the work."""

    def __init__(self, dataset: Dataset, clips: int, workers: int = 0):
        mine = range(distributed.rank(), clips, distributed.world_size())
        self.clips, self.workers = clips, workers
        self._dataset = Subset(dataset, list(mine))
        self._batches: list[Batch] | None = None

    @torch.no_grad()
    def __call__(self, task: Task, network: nn.Module, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
        """Means of `task.columns` over the clips, and "worst": the score of the worst clip."""
        if self._batches is None:
            self._batches = list(DataLoader(self._dataset, 1, num_workers=self.workers))
        table = torch.zeros(self.clips, len(task.columns), dtype=torch.float64)
        for i, batch in enumerate(self._batches):
            batch = {name: value.to(device) for name, value in batch.items()}
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                measured = task.measure(network, batch)
            row = distributed.rank() + i * distributed.world_size()
            table[row] = torch.tensor([measured[name] for name in task.columns])
        table = distributed.total(table)
        means = dict(zip(task.columns, table.mean(0).tolist(), strict=True))
        scores = table[:, task.columns.index(task.score)].tolist()
        return {**means, "worst": min(scores) if task.best is max else max(scores)}
