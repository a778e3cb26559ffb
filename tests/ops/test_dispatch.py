"""Which body runs, who may choose, and what is said when it cannot."""

import os
import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vdeblur_fast.errors import UnknownBackend
from vdeblur_fast.ops import dispatch, explain, native, pixel_distribute, use_backend

from .test_pixel_distribute import given


def test_the_native_body_is_preferred_on_the_cpu():
    text = explain(pixel_distribute, *given())
    assert "pixel_distribute((2, 17, 7, 13) float32 cpu" in text
    assert "triton     no: works on CUDA tensors, got cpu" in text or "triton     used" in text
    assert "reference  could" in text


def test_float64_runs_on_the_reference_and_says_why():
    arguments = [a.double() for a in given()]
    assert "cpu        no: takes float32 and bfloat16, got float64" in explain(pixel_distribute, *arguments)
    assert pixel_distribute(*arguments).dtype == torch.float64


def test_a_backend_that_was_asked_for_and_cannot_run_says_why():
    with (
        use_backend("cpu"),
        pytest.raises(NotImplementedError, match=r"(?s)'cpu' was asked for and cannot.*got float64"),
    ):
        pixel_distribute(*(a.double() for a in given()))
    with use_backend("cuda"), pytest.raises(NotImplementedError, match=r"(?s)'cuda' was .*has no such body"):
        pixel_distribute(*given())


def test_unknown_backends_are_refused(monkeypatch):
    with (
        pytest.raises(ValueError, match=r"unknown backend 'fast'; use one of triton, cuda, cpu, reference"),
        use_backend("fast"),
    ):
        pass
    monkeypatch.setenv("VDEBLUR_BACKEND", "slow")
    with pytest.raises(UnknownBackend, match="VDEBLUR_BACKEND: unknown backend 'slow'"):
        pixel_distribute(*given())


def test_the_environment_sets_the_default_and_the_block_wins(monkeypatch):
    monkeypatch.setenv("VDEBLUR_BACKEND", "reference")
    assert "reference  used" in explain(pixel_distribute, *given())
    with use_backend("cpu"):
        assert "cpu        used" in explain(pixel_distribute, *given())
    monkeypatch.delenv("VDEBLUR_BACKEND")
    with use_backend("reference"), use_backend(None):
        assert "reference  could" in explain(pixel_distribute, *given())


def test_explain_takes_operators_only():
    with pytest.raises(TypeError, match=r"needs an operator of vdeblur_fast\.ops"):
        explain(torch.add, torch.ones(1))


def test_every_reason_is_given_without_raising():
    for operator, table in dispatch._TABLES.items():
        for backend in table:
            reasons = backend.why_not(torch.empty(1, dtype=torch.int8, device="meta"), *[None] * 7)
            assert isinstance(reasons, list), (operator, backend.name)


def test_without_the_native_module_everything_still_runs(tmp_path):
    code = """
import sys
sys.modules["vdeblur_fast._cpu"] = None
import torch
from vdeblur_fast.modules import GSTA
from vdeblur_fast.ops import explain, pixel_distribute
x, m = torch.randn(1, 3, 8, 5, 6), GSTA(8)
print(m(x).shape == (1, 8, 5, 6))
print(explain(pixel_distribute, x[0], torch.randn(3, 8, 32), torch.randn(32, 8), torch.randn(32)))
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("VDEBLUR_BACKEND", "TRITON_INTERPRET")}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert found.stdout.startswith("True")
    assert "cpu        no: the native module is not installed" in found.stdout
    assert "reference  used" in found.stdout


def test_an_instruction_set_this_machine_lacks_is_refused():
    known = "use portable, avx2, avx512, avx512_bf16, amx or best"
    with pytest.raises(ValueError, match=f"unknown instruction set 'mmx'; {known}"):
        native.module().force_isa("mmx")
    assert native.module().isa() in ("portable", "avx2", "avx512", "avx512_bf16", "amx")


def test_under_no_grad_nothing_but_the_gradients_is_left_out():
    arguments = [a.requires_grad_() for a in given()]
    expected = pixel_distribute(*arguments)
    assert expected.requires_grad
    for how in (torch.no_grad, torch.inference_mode):
        with how(), FlopCounterMode(display=False) as counter:
            found = pixel_distribute(*arguments)
        assert not found.requires_grad
        assert found.is_inference() == (how is torch.inference_mode)
        assert counter.get_total_flops() > 0
        torch.testing.assert_close(found.clone(), expected.detach())
    with torch.no_grad():
        compiled = torch.compile(pixel_distribute, fullgraph=True, backend="eager")(*arguments)
    torch.testing.assert_close(compiled, expected.detach())
