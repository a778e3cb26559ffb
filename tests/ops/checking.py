"""How a fused operator is held against its reference."""

from collections.abc import Callable, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

LAYOUTS = ("contiguous", "channels_last", "cropped", "strided", "expanded")


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def frames(*shape: int, layout: str = "contiguous", dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random frames (..., C, H, W) in a memory order."""
    *lead, c, h, w = shape
    match layout:
        case "contiguous":
            return normal(*shape).to(dtype)
        case "channels_last":
            return normal(*lead, h, w, c).to(dtype).movedim(-1, -3)
        case "cropped":
            return normal(*lead, c, h + 3, w + 5).to(dtype)[..., 1:-2, 3:-2]
        case "strided":
            return normal(*lead, c, 2 * h, 3 * w).to(dtype)[..., ::2, ::3]
        case "expanded":
            return normal(*lead, c, 1, 1).to(dtype).expand(shape)
    raise ValueError(layout)


def doubled(arguments: Sequence) -> list:
    return [a.double() if isinstance(a, torch.Tensor) else a for a in arguments]


def assert_as_good_as_torch(name: str, got: torch.Tensor, want: torch.Tensor, same: torch.Tensor) -> None:
    """A float32 `got` is within 1e-5 of the float64 `want`, relative to its largest value; a narrower one at most
    twice as far as PyTorch's own result `same` in that dtype, or one unit in the last place of the largest value."""
    assert got.shape == want.shape, name
    assert torch.isfinite(got).all(), f"{name}: {(~torch.isfinite(got)).sum()} values are not finite"
    scale = want.abs().max().item()
    error, theirs = (got.double() - want).abs(), (same.double() - want).abs().max().item()
    limit = 1e-5 * scale if got.dtype == torch.float32 else max(2 * theirs, torch.finfo(got.dtype).eps * scale)
    assert error.max().item() <= limit, (
        f"{name}: off by {error.max():.3g} (mean {error.mean():.3g}, PyTorch {theirs:.3g}, scale {scale:.3g}) "
        f"at flat index {error.argmax().item()}"
    )


def check_values(operator: Callable, reference: Callable, arguments: Sequence) -> None:
    """Every result against the reference in float64."""
    got, want, same = (
        [r for r in (out if isinstance(out, tuple) else (out,)) if r is not None]
        for out in (operator(*arguments), reference(*doubled(arguments)), reference(*arguments))
    )
    assert len(got) == len(want)
    for index, (g, w, s) in enumerate(zip(got, want, same, strict=True)):
        assert g.dtype == s.dtype
        assert_as_good_as_torch(f"result {index}", g, w, s)


def check_gradients(operator: Callable, reference: Callable, arguments: Sequence) -> None:
    """Gradients of a weighted sum of the results, by every floating argument, also within torch.compile."""

    def gradients(function: Callable) -> list[torch.Tensor]:
        leaves = [a.detach().clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments]
        out = function(*leaves)
        results = [r for r in (out if isinstance(out, tuple) else (out,)) if r is not None]
        sum((normal(*r.shape, seed=3) * r).sum() for r in results).backward()
        return [leaf.grad for leaf in leaves if isinstance(leaf, torch.Tensor)]

    want = gradients(reference)
    for got in (gradients(operator), gradients(torch.compile(operator, fullgraph=True, backend="aot_eager"))):
        for g, w in zip(got, want, strict=True):
            torch.testing.assert_close(g, w, rtol=1e-4, atol=1e-5)


def check_compiles_once(operator: Callable, arguments: Sequence) -> None:
    """One graph, no recompilation when called again, the same values."""
    torch.compiler.reset()
    compiled = torch.compile(operator, fullgraph=True, backend="aot_eager")
    want = operator(*arguments)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(2):
            got = compiled(*arguments)
    for g, w in zip(*((out if isinstance(out, tuple) else (out,)) for out in (got, want)), strict=True):
        assert (g is None and w is None) or torch.equal(g, w)


def check_counts(operator: Callable, reference: Callable, arguments: Sequence) -> None:
    """The FLOP counter sees in the operator what it sees in the reference's matrix products."""
    counts = []
    for function in (operator, reference):
        with FlopCounterMode(display=False) as counter:
            function(*arguments)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def check_counts_nothing(operator: Callable, reference: Callable, arguments: Sequence) -> None:
    """The FLOP counter, which counts products alone, sees none in the operator, as in the reference."""
    with FlopCounterMode(display=False) as counter:
        operator(*arguments)
        reference(*arguments)
    assert counter.get_total_flops() == 0


def check_threads(function: Callable, numbers: Sequence[int] = (1, 2, 3)) -> None:
    """`function()` is bit for bit the same with these numbers of threads."""
    threads, results = torch.get_num_threads(), []
    try:
        for number in numbers:
            torch.set_num_threads(number)
            out = function()
            results.append(out if isinstance(out, tuple) else (out,))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert (a is None and b is None) or torch.equal(a, b)
