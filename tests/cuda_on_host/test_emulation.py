"""What the header that runs CUDA on the CPU notices, and that it computes what the tensor cores do."""

import ctypes
import re

import pytest
import torch

from .conftest import HERE, compiled, pretend
from .guarding import Guard

THREADS = 64


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory) -> ctypes.CDLL:
    return compiled(tmp_path_factory.mktemp("mistakes") / "mistakes.so", HERE / "mistakes.cu")


def run(mistakes, name, given, size=THREADS) -> torch.Tensor | str:
    """What the kernel wrote, or what went wrong."""
    guard = Guard("end")
    given, found = guard(given), guard(torch.zeros(size))
    body = getattr(mistakes, f"run_{name}")
    body.restype = ctypes.c_char_p
    error = body(ctypes.c_void_p(given.data_ptr()), ctypes.c_void_p(found.data_ptr()))
    guard.check()
    return error.decode() if error else found.clone()


def test_threads_meet_at_a_barrier(mistakes):
    given = torch.randn(THREADS)
    for backwards in (False, True):
        pretend(mistakes, backwards=backwards)
        assert torch.equal(run(mistakes, "mirrored", given), given.flip(0))


def test_a_missing_barrier_shows(mistakes):
    given, found = torch.randn(THREADS), []
    for backwards in (False, True):
        pretend(mistakes, backwards=backwards)
        found.append(run(mistakes, "without_barrier", given))
    pretend(mistakes)
    assert found[0].isnan().any()
    assert not torch.equal(*found)


def test_what_was_not_waited_for_is_not_there(mistakes):
    assert run(mistakes, "without_waiting", torch.randn(THREADS)).isnan().all()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("reading_too_far", r"access outside of a buffer .* by thread 63 of block 0"),
        ("writing_too_far", r"access outside of a buffer .* by thread 63 of block 0"),
        ("sharing_too_far", r"access outside of a buffer .* by thread 63 of block 0"),
        ("sharing_before", r"write before shared memory"),
        ("copying_misaligned", r"misaligned copy .* by thread 0"),
        ("hanging", r"threads wait for others that never come"),
    ],
)
def test_mistakes_are_named(mistakes, name, says):
    assert re.search(says, run(mistakes, name, torch.randn(THREADS)))


def test_a_product_is_that_of_the_fragments(mistakes):
    a, b = torch.randn(16, 16).half().float(), torch.randn(16, 8).half().float()
    found = run(mistakes, "product", torch.cat([a.flatten(), b.flatten()]), 128)
    torch.testing.assert_close(found.view(16, 8), a @ b, rtol=1e-5, atol=1e-5)
