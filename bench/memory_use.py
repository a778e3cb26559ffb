"""The most memory a call holds beyond what was held before it."""

from collections.abc import Callable
from typing import Any

import torch

from vdeblur_fast.acceleration.graphs import without_graphs


def peak_bytes(function: Callable[[], Any], device: str = "cpu") -> int:
    """On a GPU `max_memory_allocated`, on a CPU the sum of what PyTorch's allocator gave out and took back; the result,
    which the call still holds at its end, is counted. Steps that would be replayed from CUDA graphs are called: a graph
    holds as much, but has held it since before."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with without_graphs():
            result = function()
        torch.cuda.synchronize()
        del result
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        result = function()
    del result
    held = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most
