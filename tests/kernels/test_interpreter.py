"""The operators' own tests, on the Triton kernels in the interpreter: in a process of its own, for triton decides when
it is first imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

triton = pytest.importorskip("triton")
numpy = pytest.importorskip("numpy")

ROOT = Path(__file__).parent.parent.parent
# Triton 3.6's interpreter takes the int() of arrays, which NumPy 2.4 no longer gives.
BROKEN = Version(triton.__version__) < Version("3.7") and Version(numpy.__version__) >= Version("2.4")


@pytest.mark.skipif(BROKEN, reason="Triton 3.6's interpreter needs NumPy older than 2.4")
@pytest.mark.parametrize(
    "operator",
    [
        "spatial_squeeze",
        "temporal_squeeze",
        "pixel_distribute",
        "temporal_blend",
        "motion_attention",
        "attention_mix",
        "residual_dense_block",
        "convolution",
        "upsample_concat",
    ],
)
def test_the_kernels_pass_the_operators_tests(operator):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "triton"]
    done = subprocess.run(
        [*command, f"tests/ops/test_{operator}.py"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) >= 5
    assert "skipped" not in done.stdout
