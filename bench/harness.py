"""How an operator or a module is measured: first whether it is right, then against PyTorch and against physics.

All contenders take turns, so a machine that slows down slows all of them; times are medians. The limits are measured in
the same process: what must move over the bandwidth of a copy, what must be computed over the speed of a matrix product.
On a GPU what counts is its own time: PyTorch's calls and ours are replayed from CUDA graphs, many in a row, and of
PyTorch's the quicker of replayed and called is taken. What fits into its cache stays there from call to call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import torch._inductor.config

from bench.memory_use import peak_bytes
from bench.provenance import provenance
from bench.replay import repeated
from bench.timing import take_turns
from vdeblur_fast.device import cpu_is_fast_at

SECONDS_EACH = 1.0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TYPES = {torch.float32: "fp32", torch.bfloat16: "bf16"}
# Those that this machine multiplies in. PyTorch emulates the others, and a factor over an emulation says nothing.
MEASURED = {dtype: name for dtype, name in TYPES.items() if DEVICE != "cpu" or cpu_is_fast_at(name)}


@dataclass(frozen=True)
class Case:
    """One measurement: `ours(*inputs)` beside `reference(*inputs)`, the bytes and operations that no body can avoid."""

    name: str
    fast: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: tuple[Any, ...]
    bytes: int
    operations: int
    exact: Callable[..., Any] | None = field(default=None)  # the reference on float64 inputs, if it is not `reference`
    graphed: bool = False  # `fast` replays CUDA graphs of its own

    def ours(self) -> Any:
        return self.fast(*self.inputs)


def first(result: Any) -> torch.Tensor:
    return result[0] if isinstance(result, tuple) else result


def gate(case: Case) -> None:
    """Raises AssertionError unless ours is right: no figure comes from a wrong kernel."""
    doubled = tuple(i.double() if isinstance(i, torch.Tensor) else i for i in case.inputs)
    want = first((case.exact or case.reference)(*doubled))
    got, same = first(case.ours()), first(case.reference(*case.inputs))
    scale, error = want.abs().max().item(), (got.double() - want).abs().max().item()
    theirs = (same.double() - want).abs().max().item()
    # On a GPU narrow frames go through tensor cores, which round what they multiply to 11 bits.
    loose = next(i.dtype for i in case.inputs if isinstance(i, torch.Tensor)) != torch.float32
    limit = max(2 * theirs, (2e-3 if loose else 1e-5) * scale)
    if not error <= limit:
        raise AssertionError(f"{case.name}: off by {error:.3g}, allowed {limit:.3g}; not measured")


def milliseconds(contenders: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median time of each, taking turns; every one has run once before, so that nothing compiles meanwhile."""
    for function in contenders.values():
        function()
    return {name: found.median_ms for name, found in take_turns(contenders, SECONDS_EACH).items()}


def gpu_milliseconds(contenders: dict[str, Callable[[], Any]], graphed: bool) -> dict[str, float]:
    """... of one call among many in a row, the quicker of replayed and called; with `graphed`, ours as it is called."""
    ways = {}
    for name, function in contenders.items():
        captures = (False,) if graphed and name == "ours" else (True, False)
        for capture in captures:
            ways[name, capture] = repeated(function, capture)
    times = milliseconds({way: calls for way, (calls, _) in ways.items()})
    each = {way: times[way] / count for way, (_, count) in ways.items()}
    return {name: min(each[way] for way in each if way[0] == name) for name in contenders}


@cache
def copy_bandwidth() -> float:
    """Bytes a second, read and written, of the best copy of something no cache holds."""
    source = torch.ones(2**26 if DEVICE == "cpu" else 2**29, device=DEVICE)
    target = torch.empty_like(source)
    return 2 * source.nbytes / (1e-3 * milliseconds({"copy": lambda: target.copy_(source)})["copy"])


@cache
def matmul_peak(dtype: torch.dtype) -> float:
    """Operations a second of a square matrix product, on a CPU in float32 where it has no products of the type."""
    size = 2048 if DEVICE == "cpu" else 8192
    native = DEVICE != "cpu" or cpu_is_fast_at(TYPES[dtype])
    a = torch.randn(size, size, device=DEVICE, dtype=dtype if native else torch.float32)
    return 2 * size**3 / (1e-3 * milliseconds({"matmul": lambda: a @ a})["matmul"])


@torch.no_grad()
def measure(case: Case) -> dict[str, Any]:
    """A row of the report."""
    gate(case)
    dtype = next(i.dtype for i in case.inputs if isinstance(i, torch.Tensor))
    torch.compiler.reset()
    # Freezing lets the compiler lay out a module's weights once, as ours are.
    compiled = torch.compile(case.reference, options={"freezing": DEVICE == "cpu"})
    contenders = {
        "eager": lambda: case.reference(*case.inputs),
        "compiled": lambda: compiled(*case.inputs),
        "ours": case.ours,
    }
    with torch._inductor.config.patch(freezing=DEVICE == "cpu"):  # weights as constants: the best that it offers there
        times = milliseconds(contenders) if DEVICE == "cpu" else gpu_milliseconds(contenders, case.graphed)
    peaks = {name: peak_bytes(function, DEVICE) / 2**20 for name, function in contenders.items()}
    moving, computing = case.bytes / copy_bandwidth(), case.operations / matmul_peak(dtype)
    return (
        {"name": case.name}
        | {f"{name}_ms": value for name, value in times.items()}
        | {
            "times_faster": min(times["eager"], times["compiled"]) / times["ours"],
            "of_limit": 1e3 * max(moving, computing) / times["ours"],
            "limited_by": "copy" if moving > computing else "operations",
            "limit_ms": 1e3 * max(moving, computing),
        }
        | {f"{name}_peak_mib": value for name, value in peaks.items()}
        | {
            "copy_gb_s": copy_bandwidth() / 1e9,
            "matmul_gflop_s": matmul_peak(dtype) / 1e9,
            "threads": torch.get_num_threads(),
        }
        | provenance(DEVICE)
    )
