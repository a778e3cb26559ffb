"""Weights in the layout of the native kernels, made once and found again as long as their values are the same."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from . import native

MOST_IDLE_BYTES = 2**28


@dataclass(frozen=True)
class _Kept:
    packed: Tensor
    owner: Callable[[], Tensor | None]  # whose weights they are: None when nobody holds them any more


class PackedWeights:
    """What `pack(sizes, tensors)` made, kept for the next call with tensors of the same values.

    `same(sizes, tensors, packed)` compares the values themselves, a copy of which lies in `packed`: a few microseconds
    beside the milliseconds of the call, for which nothing is ever stale, however the weights were changed, and copies
    of a network share what was packed. Both are given the tensors as float32 and contiguous. What was packed of weights
    that are still held is kept: were there a limit, a network above it would pack all of its weights anew for each
    frame. Of others the least recently used go first where more than MOST_IDLE_BYTES would be kept.
    """

    def __init__(
        self,
        pack: Callable[[Any, Sequence[Tensor]], Tensor],
        same: Callable[[Any, Sequence[Tensor], Tensor], bool],
    ):
        self._pack, self._same = pack, same
        self._kept: OrderedDict[tuple[Any, int], _Kept] = OrderedDict()

    def __call__(self, sizes: tuple[int, ...], tensors: Sequence[Tensor]) -> Tensor:
        """The tensors, of any floating type, packed."""
        owner, tensors = tensors[0], [native.plain(tensor) for tensor in tensors]
        key = sizes, owner.data_ptr()
        found = self._kept.get(key)
        if found is None or not self._same(sizes, tensors, found.packed):
            others = [kept.packed for (other, _), kept in list(self._kept.items()) if other == sizes]
            shared = next((packed for packed in others if self._same(sizes, tensors, packed)), None)
            if shared is not None:
                return shared
            found = self._kept[key] = _Kept(self._pack(sizes, tensors), weakref.ref(owner))
            self._forget()
        self._kept.move_to_end(key)
        return found.packed

    def _forget(self) -> None:
        idle = [(key, kept.packed.nbytes) for key, kept in self._kept.items() if kept.owner() is None]
        total = sum(size for _, size in idle)
        for key, size in idle:
            if total <= MOST_IDLE_BYTES:
                return
            del self._kept[key]
            total -= size
