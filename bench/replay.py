"""What a call costs the GPU itself: many of them in one CUDA graph, so that neither Python nor the launches count."""

import time
from collections.abc import Callable
from typing import Any

import torch

SECONDS = 2e-3  # of calls in one graph, about: long beside the launch of the graph
MOST = 100
_WARM_UPS = 3


def repeated(function: Callable[[], Any], capture: bool = True) -> tuple[Callable[[], Any], int]:
    """Something that runs `function` so many times on the GPU, and how often: a graph of the calls or, without
    `capture` or where they cannot be captured, the calls."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            function()
        stream.synchronize()
        begin = time.perf_counter()
        function()
        stream.synchronize()
        count = max(1, min(MOST, round(SECONDS / (time.perf_counter() - begin))))
    torch.cuda.current_stream().wait_stream(stream)

    def calls() -> None:
        for _ in range(count):
            function()

    if not capture:
        return calls, count
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(torch.cuda.current_stream()):  # which a capture that fails leaves for another
        try:
            with torch.cuda.graph(graph):
                calls()
        except RuntimeError:
            torch.cuda.synchronize()
            return calls, count
    return graph.replay, count
