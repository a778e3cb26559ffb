"""Everything here needs a GPU; and the calls that the operators' own tests make, moved onto it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch

from tests.ops import test_attention_mix as attention_mix
from tests.ops import test_motion_attention as motion_attention
from tests.ops import test_pixel_distribute as pixel_distribute
from tests.ops import test_residual_dense_block as residual_dense_block
from tests.ops import test_spatial_squeeze as spatial_squeeze
from tests.ops import test_temporal_blend as temporal_blend
from tests.ops import test_temporal_squeeze as temporal_squeeze
from vdeblur_fast import ops
from vdeblur_fast.reference import ops as reference

MODULES = (
    spatial_squeeze,
    temporal_squeeze,
    pixel_distribute,
    temporal_blend,
    motion_attention,
    attention_mix,
    residual_dense_block,
)
NAMES = tuple(module.__name__.rpartition("test_")[2] for module in MODULES)


@pytest.fixture(autouse=True)
def gpu():
    """The device that the test runs on."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return torch.device("cuda")


@dataclass(frozen=True)
class Operator:
    """An operator, its reference, and `given(**settings)`, which makes its arguments on the CPU."""

    name: str
    fused: Callable
    reference: Callable
    given: Callable[..., Sequence]


@pytest.fixture(params=NAMES)
def operator(request) -> Operator:
    module = MODULES[NAMES.index(request.param)]
    return Operator(request.param, getattr(ops, request.param), getattr(reference, request.param), module.given)


@pytest.fixture
def backend(operator, gpu) -> str:
    """On Triton, which a GPU runs by default; `test_cuda_bodies.py` has the other bodies."""
    with ops.use_backend("triton"):
        yield "triton"


def moved(arguments: Sequence, device: torch.device, dtype: torch.dtype | None = None) -> list:
    """Tensors to the device, in their memory order."""
    return [a.to(device, dtype) if isinstance(a, torch.Tensor) else _moved_list(a, device, dtype) for a in arguments]


def _moved_list(argument, device: torch.device, dtype: torch.dtype | None):
    """Lists of weights are arguments too."""
    if isinstance(argument, (list, tuple)):
        return type(argument)(moved(argument, device, dtype))
    return argument
