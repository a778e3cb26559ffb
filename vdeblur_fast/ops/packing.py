"""Weights in the layout of the native kernels, made once and found again as long as their values are the same."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

MOST_BYTES = 2**28


class PackedWeights:
    """What `pack(sizes, tensors)` made, kept for the next call with tensors of the same values.

    `same(sizes, tensors, packed)` compares the values themselves, a copy of which lies in `packed`: a few microseconds
    beside the milliseconds of the call, for which nothing is ever stale, however the weights were changed, and copies
    of a network share what was packed. The least recently used go first where more than MOST_BYTES would be kept.
    """

    def __init__(
        self,
        pack: Callable[[Any, Sequence[Tensor]], Tensor],
        same: Callable[[Any, Sequence[Tensor], Tensor], bool],
    ):
        self._pack, self._same = pack, same
        self._kept: OrderedDict[tuple[Any, int], Tensor] = OrderedDict()

    def __call__(self, sizes: tuple[int, ...], tensors: Sequence[Tensor]) -> Tensor:
        """The tensors, float32 and contiguous, packed."""
        key = sizes, tensors[0].data_ptr()
        found = self._kept.get(key)
        if found is None or not self._same(sizes, tensors, found):
            others = [packed for (other, _), packed in list(self._kept.items()) if other == sizes]
            shared = next((packed for packed in others if self._same(sizes, tensors, packed)), None)
            if shared is not None:
                return shared
            found = self._kept[key] = self._pack(sizes, tensors)
            self._forget()
        self._kept.move_to_end(key)
        return found

    def _forget(self) -> None:
        while len(self._kept) > 1 and sum(packed.nbytes for packed in self._kept.values()) > MOST_BYTES:
            self._kept.popitem(last=False)
