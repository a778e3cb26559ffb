"""Everything here needs a GPU; and the calls that the operators' own tests make, moved onto it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
import torch

from tests.ops import test_attention_mix as attention_mix
from tests.ops import test_convolution as convolution
from tests.ops import test_motion_attention as motion_attention
from tests.ops import test_pixel_distribute as pixel_distribute
from tests.ops import test_residual_dense_block as residual_dense_block
from tests.ops import test_spatial_squeeze as spatial_squeeze
from tests.ops import test_temporal_blend as temporal_blend
from tests.ops import test_temporal_squeeze as temporal_squeeze
from tests.ops import test_upsample_concat as upsample_concat
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
    convolution,
    upsample_concat,
)
NAMES = tuple(module.__name__.rpartition("test_")[2] for module in MODULES)


@pytest.fixture(autouse=True)
def gpu() -> Iterator[torch.device]:
    """The device that the test runs on; float32 is float32 there, for it is judged so."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = False
    yield torch.device("cuda")
    convolutions.allow_tf32, products.allow_tf32 = before


@dataclass(frozen=True)
class Operator:
    """An operator, its reference, and `given(**settings)`, which makes the arguments of both on the CPU."""

    name: str
    fused: Callable
    reference: Callable
    given: Callable[..., Sequence]


@pytest.fixture(params=NAMES)
def operator(request) -> Operator:
    name, module = request.param, MODULES[NAMES.index(request.param)]
    # `given` may make flat arguments of an operator that takes lists: then the tests have both with flat ones, too
    fused, plain = getattr(module, "fused", getattr(ops, name)), getattr(module, "plain", getattr(reference, name))
    return Operator(name, fused, plain, module.given)


@pytest.fixture
def backend(operator, gpu) -> Iterator[str]:
    """On Triton, which a GPU runs by default; `test_cuda_bodies.py` has the other bodies."""
    with ops.use_backend("triton"):
        yield "triton"


def moved(arguments: Sequence, device: torch.device) -> list:
    """Tensors, and those in lists, to the device, in their memory order."""
    return [_moved(argument, device) for argument in arguments]


def _moved(argument, device: torch.device):
    if isinstance(argument, list | tuple):
        return type(argument)(moved(argument, device))
    if not isinstance(argument, torch.Tensor):
        return argument
    whole = argument.new_empty(0).set_(argument.untyped_storage())  # `to` alone would close the gaps of a view
    return whole.to(device).as_strided(argument.shape, argument.stride(), argument.storage_offset())
