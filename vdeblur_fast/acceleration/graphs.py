"""CUDA graphs of a network's steps: hundreds of small kernels launched as one."""

import threading
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..ops import dispatch
from ..reference.networks import VideoNetwork

MOST_GRAPHS = 8  # of one step; each keeps the memory of its intermediate results
_WARM_UPS = 3  # before a capture: kernels are chosen and compiled, workspaces allocated
_CAPTURING = threading.RLock()  # PyTorch has one capture at a time in a process
_used: ContextVar[bool] = ContextVar("vdeblur_graphs", default=True)


@contextmanager
def without_graphs() -> Iterator[None]:
    """Within the block every graphed step is called as it is: to see what it does itself."""
    token = _used.set(False)
    try:
        yield
    finally:
        _used.reset(token)


@dataclass
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: list[torch.Tensor]
    outputs: Any


class GraphedStep:
    """A function of tensors, in any nesting of tuples, lists, dictionaries and None, that is captured when arguments of
    a kind (structure, shapes, dtypes, device; backend and autocast are part of it) come for the second time, and
    replayed from then on.

    What it returns is the caller's: copies, which the next call leaves alone. Where a gradient is asked for, of an
    argument or of a parameter of the module whose method it is, it is called as it is. Not for functions that look at
    values: one that cannot be captured is called as it is, after a warning. Not for two threads at once.
    """

    def __init__(self, function: Callable[..., Any]):
        self._function = function
        self._graphs: OrderedDict[Any, _Graph | None] = OrderedDict()  # None: could not be captured
        self._met: deque[Any] = deque(maxlen=MOST_GRAPHS)  # kinds that came once
        self._weights: list[nn.Parameter] | None = None  # of the module, once they are asked for

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        everything, structure = pytree.tree_flatten((arguments, named))
        leaves = [leaf for leaf in everything if leaf is not None]  # which is a leaf too
        if not self._can_replay(leaves):
            return self._function(*arguments, **named)
        there = tuple(leaf is not None for leaf in everything)
        settings = dispatch.asked_for(), torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
        layouts = ((leaf.shape, leaf.stride(), leaf.dtype, leaf.device) for leaf in leaves)
        kind = (str(structure), there, settings, *layouts)
        if kind not in self._graphs and kind not in self._met:  # a picture of another size, of which no more may come
            self._met.append(kind)
            return self._function(*arguments, **named)
        with torch.cuda.device(leaves[0].device):
            if kind not in self._graphs:
                self._graphs[kind] = self._captured(leaves, there, structure)
                if len(self._graphs) > MOST_GRAPHS:
                    self._graphs.popitem(last=False)
            self._graphs.move_to_end(kind)
            found = self._graphs[kind]
            if found is None:
                return self._function(*arguments, **named)
            for own, given in zip(found.inputs, leaves, strict=True):
                own.copy_(given)
            found.graph.replay()
            return pytree.tree_map(_copy, found.outputs)

    def forget(self) -> None:
        """Captures anew from now on: for weights that have changed, of which a graph may have used a copy."""
        self._graphs.clear()
        self._weights = None

    def _can_replay(self, leaves: list[Any]) -> bool:
        if not leaves or not all(isinstance(leaf, torch.Tensor) and leaf.is_cuda for leaf in leaves):
            return False
        return _used.get() and not (torch.is_grad_enabled() and self._asks_for_gradients(leaves))

    def _asks_for_gradients(self, leaves: list[torch.Tensor]) -> bool:
        if self._weights is None:
            module = getattr(self._function, "__self__", None)
            self._weights = list(module.parameters()) if isinstance(module, nn.Module) else []
        return any(x.requires_grad for x in (*leaves, *self._weights))

    def _captured(self, *what: Any) -> _Graph | None:
        # PyTorch leaves another stream current where a capture fails; the inner context puts this one back.
        with _CAPTURING, torch.cuda.stream(torch.cuda.current_stream()):
            try:
                return self._capture(*what)
            except RuntimeError as error:  # which CUDA's errors are, and too little memory for another graph
                reason = str(error).partition("\n")[0]
        warnings.warn(f"a step is not captured in a CUDA graph, and so slower: {reason}", stacklevel=3)
        return None

    # In no mode of the caller's: what is kept must be ordinary tensors, for the next call may come in another mode.
    @torch.inference_mode(False)
    @torch.no_grad()
    def _capture(self, leaves: list[torch.Tensor], there: tuple[bool, ...], structure: Any) -> _Graph:
        inputs = [leaf.clone() for leaf in leaves]
        left = iter(inputs)
        arguments, named = pytree.tree_unflatten([next(left) if tensor else None for tensor in there], structure)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._function(*arguments, **named)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # PyTorch's own stream for captures is of whichever device was the first to have one. What other threads do
        # meanwhile, such as allocating memory, is on other streams and does not matter.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            outputs = self._function(*arguments, **named)
        return _Graph(graph, inputs, outputs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles have no graphs, which live in this process and see its memory."""
        return GraphedStep, (self._function,)


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
