"""Weights in the layout of the native kernels, made once and found again as long as their values are the same."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from . import native

MOST_IDLE_BYTES = 2**28


@dataclass(frozen=True)
class _Kept:
    packed: Tensor
    copies: list[Tensor]  # of the tensors, in their memory order
    owner: Callable[[], Tensor | None]  # whose weights they are: None when nobody holds them any more

    def is_held(self, at: int) -> bool:
        """Whether somebody holds them where they were: parameters may be given other memory."""
        owner = self.owner()
        return owner is not None and owner.data_ptr() == at

    def nbytes(self) -> int:
        return self.packed.nbytes + sum(copy.nbytes for copy in self.copies)

    def is_of(self, tensors: Sequence[Tensor]) -> bool:
        if any(_form(copy) != _form(tensor) for copy, tensor in zip(self.copies, tensors, strict=True)):
            return False
        bytes = [tensor.nbytes for tensor in tensors]
        return native.module().same_bytes(_addresses(self.copies), _addresses(tensors), bytes)


class PackedWeights:
    """What `pack(sizes, tensors)` made of tensors in float32, kept for the next call with tensors of the same values.

    The values themselves are compared, with a copy: a few microseconds beside the milliseconds of the call, for which
    nothing is ever stale, however the weights were changed, and copies of a network share what was packed. What was
    packed of weights that are still held where they were is kept: were there a limit, a network above it would pack all
    of its weights anew for each frame. Of others the least recently used go first where more than MOST_IDLE_BYTES would
    be kept.
    """

    def __init__(self, pack: Callable[[Any, Sequence[Tensor]], Tensor]):
        self._pack = pack
        self._kept: OrderedDict[tuple[Any, int], _Kept] = OrderedDict()
        self._lock = Lock()

    def __call__(self, sizes: tuple[int, ...], tensors: Sequence[Tensor]) -> Tensor:
        """The tensors, of any floating type, packed; those of `sizes` have all the same shapes."""
        with self._lock:
            return self._find(sizes, tensors[0], [_dense(tensor) for tensor in tensors])

    def _find(self, sizes: tuple[int, ...], owner: Tensor, tensors: Sequence[Tensor]) -> Tensor:
        key = sizes, owner.data_ptr()
        found = self._kept.get(key)
        if found is None or not found.is_of(tensors):
            others = (kept for (other, _), kept in self._kept.items() if other == sizes)
            shared = next((kept.packed for kept in others if kept.is_of(tensors)), None)
            if shared is not None:
                return shared
            packed = self._pack(sizes, [native.plain(tensor) for tensor in tensors])
            copies = [tensor.detach().clone() for tensor in tensors]
            found = self._kept[key] = _Kept(packed, copies, weakref.ref(owner))
            self._forget()
        self._kept.move_to_end(key)
        return found.packed

    def _forget(self) -> None:
        idle = [(key, kept.nbytes()) for key, kept in self._kept.items() if not kept.is_held(at=key[1])]
        total = sum(size for _, size in idle)
        for key, size in idle:
            if total <= MOST_IDLE_BYTES:
                return
            del self._kept[key]
            total -= size


def _dense(tensor: Tensor) -> Tensor:
    """The tensor itself where it is contiguous or channels last, else a copy."""
    dense = tensor.is_contiguous() or (tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last))
    return tensor if dense else tensor.contiguous()


def _form(tensor: Tensor) -> tuple[torch.dtype, tuple[int, ...]]:
    return tensor.dtype, tensor.stride()


def _addresses(tensors: Sequence[Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]
