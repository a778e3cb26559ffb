"""The CUDA library as it was built: what the compiler made of the kernels, read from the machine code itself."""

import re
import subprocess
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
import torch

from vdeblur_fast import use_backend
from vdeblur_fast.kernels.cuda import library
from vdeblur_fast.ops import cuda, explain, temporal_blend

# kernel: what its machine code must hold: products of matrices, matrices from shared memory, 16-byte copies into it
KERNELS = dict.fromkeys(
    ("block_kernel", "blend_kernel", "squeeze_kernel"),
    (r"HMMA\.16816\.F32.*", r"LDSM\.16\..*\.4", r"LDGSTS\.E\.BYPASS\..*128"),
)


@pytest.fixture(scope="module")
def built() -> Path:
    spec = find_spec("vdeblur_fast._cuda")
    if spec is None:
        pytest.skip("the CUDA library was not built: no nvcc when the package was installed")
    return Path(spec.origin)


def cuobjdump(*arguments: str | Path) -> str:
    triton = pytest.importorskip("triton")
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    if not tool.is_file():
        pytest.skip("this triton carries no cuobjdump")
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def compiled(built) -> list[tuple[str, str, int, int]]:
    """Architecture, name, registers and bytes of stack of every kernel."""
    text, found, architecture = cuobjdump("--dump-resource-usage", built), [], ""
    for line in text.replace(":\n", ": ").splitlines():
        if line.startswith("arch = "):
            architecture = line.removeprefix("arch = ").strip()
        elif match := re.search(r"Function (\S+):\s+REG:(\d+) STACK:(\d+)", line):
            name, registers, stack = match.groups()
            found.append((architecture, name, int(registers), int(stack)))
    return found


def test_it_loads_without_a_gpu_and_says_what_is_missing(built):
    assert library.library() is not None
    frame = torch.zeros(1, 8, 4, 4)
    told = explain(temporal_blend, frame, frame, torch.zeros(8, 16, 5, 5), torch.zeros(8), torch.zeros(()))
    assert "cuda       no: works on CUDA tensors, got cpu" in told
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match=r"^temporal_blend: .*(driver|device)"):
            library.launch("temporal_blend", frame.half(), *[0] * 12, None)


def test_no_kernel_spills(compiled):
    assert [kernel for kernel in compiled if kernel[3]] == []
    for architecture in {architecture for architecture, *_ in compiled}:
        names = " ".join(name for found, name, *_ in compiled if found == architecture)
        assert all(kernel in names for kernel in (*KERNELS, "pack_weights", "merge_kernel")), architecture


def test_the_kernels_use_what_the_chip_has(built, compiled):
    """The kernels with the most registers, of each kind and architecture."""
    for architecture, kernel in product({architecture for architecture, *_ in compiled}, KERNELS):
        _, name = max(
            (registers, name) for found, name, registers, _ in compiled if found == architecture and kernel in name
        )
        code = cuobjdump("--gpu-architecture", architecture, "--function", name, "--dump-sass", built)
        held = set(re.findall(r"\b(?:HMMA|LDSM|LDGSTS|LDL|STL)[.\w]*", code))
        for wanted in KERNELS[kernel]:
            assert any(re.fullmatch(wanted, word) for word in held), (architecture, kernel, wanted, held)
        assert not any(word.startswith(("LDL", "STL")) for word in held), (architecture, kernel)


def test_without_the_library_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(
        library, "_load", lambda: (None, "the CUDA module is not installed; reinstall with nvcc at hand")
    )

    class OnGPU:
        device = torch.device("cuda")

    assert cuda.why_not(OnGPU()) == "the CUDA module is not installed; reinstall with nvcc at hand"
    with pytest.raises(RuntimeError, match="reinstall with nvcc at hand"):
        library.library()


def test_asked_for_where_it_cannot_it_says_why():
    frame = torch.zeros(1, 8, 4, 4)
    given = frame, frame, torch.zeros(8, 16, 5, 5), torch.zeros(8), torch.zeros(())
    with (
        use_backend("cuda"),
        pytest.raises(NotImplementedError, match=r"(?s)'cuda' was asked.*works on CUDA tensors, got cpu"),
    ):
        temporal_blend(*given)
