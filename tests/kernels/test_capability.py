"""GPUs that the kernels are not for: the operators run on the reference there, and say why."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vdeblur_fast.kernels.capability import why_not_on
from vdeblur_fast.kernels.cuda import library
from vdeblur_fast.ops import dispatch, triton, why_not_fused

SAID = "needs a GPU of compute capability 8.0 or newer, got 7.5"


@pytest.fixture
def on_gpu_of(monkeypatch):
    """Makes the GPU one of this compute capability; there need not be one."""

    def become(*capability: int) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        why_not_on.cache_clear()

    yield become
    why_not_on.cache_clear()


def frames() -> torch.Tensor:
    """Frames that only seem to be on a GPU."""
    with FakeTensorMode():
        return torch.empty(1, 8, 4, 5, dtype=torch.float16, device="cuda:0")


def test_an_old_gpu_is_refused_by_every_kernel(on_gpu_of):
    pytest.importorskip("triton")
    on_gpu_of(7, 5)
    x = frames()
    assert triton.why_not(x) == SAID
    assert library.why_not(x) == (library._load()[1] or SAID)  # it may not have been built
    assert SAID in why_not_fused(x)
    for capability in ((8, 0), (9, 0), (12, 0)):
        on_gpu_of(*capability)
        assert triton.why_not(x) == ""


def test_there_the_operators_run_on_the_reference(on_gpu_of):
    pytest.importorskip("triton")
    on_gpu_of(7, 5)
    x = frames()
    for told in (
        dispatch.table("convolution", [x], torch.empty(8, 8, 3, 3), torch.empty(8), None, 1, "relu"),
        dispatch.table("residual_dense_block", x, [torch.empty(4, 8, 3, 3)], [torch.empty(4)], None, None, "gelu"),
    ):
        assert f"triton     no: {SAID}" in told
        assert "reference  used" in told
