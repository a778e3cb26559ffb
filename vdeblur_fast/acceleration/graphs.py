"""CUDA graphs of a network's steps: hundreds of small kernels launched as one."""

import copy
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..reference.networks import VideoNetwork

MOST_GRAPHS = 8  # of one step; each keeps the memory of its intermediate results
_WARM_UPS = 3  # before a capture: kernels are chosen and compiled, workspaces allocated


@dataclass
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: list[torch.Tensor]
    outputs: Any


class GraphedStep:
    """A function of tensors, in any nesting of tuples, lists and None, that is captured once for each kind of
    arguments (structure, shapes, dtypes, device) and replayed from then on.

    What it returns is the caller's: copies, which the next call leaves alone. Not for functions that look at values:
    one that cannot be captured is called as it is, after a warning.
    """

    def __init__(self, function: Callable[..., Any]):
        self._function = function
        self._graphs: OrderedDict[Any, _Graph | None] = OrderedDict()  # None: could not be captured

    def __call__(self, *arguments: Any) -> Any:
        everything, structure = pytree.tree_flatten(arguments)
        leaves = [leaf for leaf in everything if leaf is not None]  # which is a leaf too
        if not leaves or not all(isinstance(leaf, torch.Tensor) and leaf.is_cuda for leaf in leaves):
            return self._function(*arguments)
        there = tuple(leaf is not None for leaf in everything)
        kind = (str(structure), there, *((leaf.shape, leaf.stride(), leaf.dtype, leaf.device) for leaf in leaves))
        with torch.cuda.device(leaves[0].device):
            if kind not in self._graphs:
                self._graphs[kind] = self._captured(leaves, there, structure)
                if len(self._graphs) > MOST_GRAPHS:
                    self._graphs.popitem(last=False)
            self._graphs.move_to_end(kind)
            found = self._graphs[kind]
            if found is None:
                return self._function(*arguments)
            for own, given in zip(found.inputs, leaves, strict=True):
                own.copy_(given)
            found.graph.replay()
            return pytree.tree_map(_copy, found.outputs)

    def forget(self) -> None:
        """Captures anew from now on: for weights that have changed, of which a graph may have used a copy."""
        self._graphs.clear()

    def _captured(self, *what: Any) -> _Graph | None:
        try:
            return self._capture(*what)
        except RuntimeError as error:  # which CUDA's errors are, and too little memory for another graph
            reason = str(error).partition("\n")[0]
            warnings.warn(f"a step is not captured in a CUDA graph, and so slower: {reason}", stacklevel=3)
            return None

    def _capture(self, leaves: list[torch.Tensor], there: tuple[bool, ...], structure: Any) -> _Graph:
        inputs = [leaf.clone() for leaf in leaves]
        left = iter(inputs)
        arguments = pytree.tree_unflatten([next(left) if tensor else None for tensor in there], structure)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._function(*arguments)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._function(*arguments)
        return _Graph(graph, inputs, outputs)

    def __deepcopy__(self, memo: dict) -> "GraphedStep":
        return GraphedStep(copy.deepcopy(self._function, memo))


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def capture_steps(network: nn.Module, device: torch.device) -> dict[str, str]:
    """On a GPU, makes `encode` and `decode` of a video network graphed steps -> what is not captured, and why."""
    if device.type != "cuda" or not isinstance(network, VideoNetwork):
        return {}
    if not network.capturable:
        return {"CUDA graphs": f"{type(network).__name__} chooses its neighbours by looking at values"}
    network.encode, network.decode = GraphedStep(network.encode), GraphedStep(network.decode)
    network.register_load_state_dict_post_hook(_forget)
    return {}


def _forget(network: VideoNetwork, _: Any) -> None:
    for step in (network.encode, network.decode):
        step.forget()
