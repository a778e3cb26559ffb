"""Several processes, one training: who am I, and what do the others say.

Under `torchrun` every process works on its share of each batch. Alone, everything here does nothing.
"""

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import distributed, nn


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """Joins the processes that `torchrun` started, and leaves them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    if local_rank() < torch.cuda.device_count():  # where all train on the CPU there may be more processes than GPUs
        torch.cuda.set_device(local_rank())  # which NCCL takes for what has no tensor, such as a barrier
    # One group for both kinds of tensor: NCCL for those on a GPU, gloo for those on the CPU.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def total(values: torch.Tensor) -> torch.Tensor:
    """The sum of `values` over the processes; every process gets it."""
    if world_size() > 1:
        values = values.clone()
        distributed.all_reduce(values)
    return values


def anyone(flag: bool) -> bool:
    """Whether any process says yes: all of them then do the same."""
    return bool(total(torch.tensor(float(flag))) > 0)


def wait() -> None:
    if world_size() > 1:
        distributed.barrier()


class SummedOver(torch.autograd.Function):
    """The sum over the processes, and so is its gradient: what one puts in reaches the loss of all."""

    @staticmethod
    def forward(ctx, values: torch.Tensor) -> torch.Tensor:
        return total(values)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return total(gradient)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose statistics in training are those of the whole batch, not of one process' share of it.

    What `torch.nn.SyncBatchNorm` does on a GPU; that one refuses tensors on the CPU. Names and state_dict are
    those of BatchNorm2d.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or world_size() == 1:
            return super().forward(x)
        wide = x.to(self.running_mean.dtype)  # under autocast x may be bfloat16, which counts to 256
        pixels = wide.new_tensor([x.numel() / x.shape[1]])
        sums = SummedOver.apply(torch.cat([wide.sum((0, 2, 3)), pixels]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = wide - mean[:, None, None]
        variance = SummedOver.apply(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1).clamp_min(1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def share_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """Makes the batch norms of `network` see the whole batch where several processes train it."""
    if world_size() == 1:
        return network
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm2d
    return network
