"""What the operators' tests share: the bodies this machine can run, and results that start as NaN between fences."""

import contextlib
from collections.abc import Iterator

import pytest
import torch

from vdeblur_fast.ops import native, triton, use_backend

BODIES = ("cpu-portable", "cpu-avx2", "cpu-avx512", "triton")
FENCE, FENCE_VALUE = 64, 12345.0


@contextlib.contextmanager
def on_body(name: str) -> Iterator[str]:
    """Every operator within runs on this body; the test is skipped, with the reason, where it cannot."""
    backend, _, isa = name.partition("-")
    if backend == "triton" and not triton.interpreting():
        pytest.skip("the Triton interpreter is off; tests/kernels runs these tests with it on")
    if isa:
        try:
            native.module().force_isa(isa)
        except ValueError as error:
            pytest.skip(str(error))
    with use_backend(backend):
        yield name
    if isa:
        native.module().force_isa("best")


def fixture_of(*names: str):
    """`body` for a module whose operator has other bodies than most."""

    @pytest.fixture(params=names)
    def body(request):
        with on_body(request.param) as name:
            yield name

    return body


body = fixture_of(*BODIES)


@pytest.fixture
def fences(monkeypatch):
    """Fresh tensors are NaN, with a fence on both sides that must stand when the test is over."""
    new_empty, empty, empty_like = torch.Tensor.new_empty, torch.empty, torch.empty_like
    built = []

    def fenced(plain: torch.Tensor) -> torch.Tensor:
        if not plain.is_floating_point() or type(plain) is not torch.Tensor or not plain.numel():
            return plain
        buffer = torch.full((plain.numel() + 2 * FENCE,), FENCE_VALUE, dtype=plain.dtype)
        buffer[FENCE:-FENCE] = torch.nan
        built.append(buffer)
        return buffer.as_strided(plain.shape, plain.stride(), FENCE)

    monkeypatch.setattr(torch.Tensor, "new_empty", lambda *a, **k: fenced(new_empty(*a, **k)))
    monkeypatch.setattr(torch, "empty", lambda *a, **k: fenced(empty(*a, **k)))
    monkeypatch.setattr(torch, "empty_like", lambda *a, **k: fenced(empty_like(*a, **k)))
    yield
    assert built, "nothing was allocated"
    for buffer in built:
        want = torch.tensor(FENCE_VALUE).to(buffer.dtype)
        assert (buffer[:FENCE] == want).all(), "written before the first element"
        assert (buffer[-FENCE:] == want).all(), "written after the last element"
