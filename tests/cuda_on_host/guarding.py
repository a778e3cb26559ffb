"""Memory that ends, or begins, at a page that must not be touched; what is left of its own pages is checked."""

import ctypes
import mmap

import torch

PAGE, CANARY = mmap.PAGESIZE, 0xA5
PROT_NONE = 0
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Guard:
    """`guard(tensor)` copies a tensor, in its own memory order, to where a step beyond it traps."""

    def __init__(self, side: str):
        self.side = side
        self._kept: list[tuple[mmap.mmap, torch.Tensor, int, int]] = []

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        last = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
        count = last + 1 if tensor.numel() else 0
        size = count * tensor.element_size()
        inside = -(-max(size, 1) // PAGE) * PAGE
        pages = mmap.mmap(-1, inside + 2 * PAGE)
        whole = torch.frombuffer(pages, dtype=torch.uint8)
        for trap in (0, PAGE + inside):
            _libc.mprotect(whole.data_ptr() + trap, PAGE, PROT_NONE)
        start = PAGE if self.side == "start" else PAGE + inside - size
        whole[PAGE : PAGE + inside] = CANARY
        self._kept.append((pages, whole, start, size))
        placed = whole[start : start + size].view(tensor.dtype)
        placed.copy_(tensor.as_strided((count,), (1,)))
        return placed.as_strided(tensor.shape, tensor.stride())

    def check(self) -> None:
        for _, whole, start, size in self._kept:
            assert (whole[PAGE:start] == CANARY).all(), "written before the first element"
            assert (whole[start + size : -PAGE] == CANARY).all(), "written after the last element"
