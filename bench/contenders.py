"""What a user would run a network with: PyTorch eager and compiled, ONNX Runtime, OpenVINO, and `accelerate`.

Each is a function of a `Job` that prepares a call without arguments, which computes one step and returns its outputs.
"""

import copy
import logging
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._inductor.config

from bench.step import Step

Call = Callable[[], Sequence[Any]]


@dataclass(frozen=True)
class Job:
    """The same step of the reference and of the accelerated network, and the threads that it may use."""

    reference: Step
    fast: Step
    threads: int
    _folder: tempfile.TemporaryDirectory = field(default_factory=tempfile.TemporaryDirectory)

    @cached_property
    def arrays(self) -> list[np.ndarray]:
        return [tensor.contiguous().numpy() for tensor in self.reference.inputs]

    @cached_property
    def truth(self) -> tuple[torch.Tensor, ...]:
        """The outputs in float64."""
        exact = Step(copy.deepcopy(self.reference.network), self.reference.moment).double()
        return exact(*(x.double() for x in exact.inputs))

    @cached_property
    def outputs(self) -> tuple[torch.Tensor, ...]:
        """The outputs of the reference."""
        return self.reference(*self.reference.inputs)

    @cached_property
    def onnx(self) -> Path:
        """The reference's step as an ONNX file, which is there as long as the job is."""
        path = Path(self._folder.name) / "step.onnx"
        export(self.reference, path)
        return path


def export(step: Step, path: Path) -> None:
    """Writes a step as ONNX, its state as inputs and outputs."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(step, step.inputs, path, dynamo=True, verbose=False)


def tensors(outputs: Sequence[Any]) -> list[torch.Tensor]:
    """The outputs of any contender's call."""
    return [found if isinstance(found, torch.Tensor) else torch.from_numpy(np.asarray(found)) for found in outputs]


def in_layout(inputs: Sequence[torch.Tensor], layout: torch.memory_format) -> list[torch.Tensor]:
    return [x.contiguous(memory_format=layout) if x.dim() == 4 else x.contiguous() for x in inputs]


def eager(job: Job, layout: torch.memory_format) -> Call:
    step = Step(copy.deepcopy(job.reference.network), job.reference.moment).to(memory_format=layout)
    return partial(step, *in_layout(step.inputs, layout))


def compiled(job: Job, **options: bool) -> Call:
    """With the weights as constants, which lets the compiler lay them out once."""
    call = eager(job, torch.channels_last)
    step = torch.compile(call.func, options={"freezing": True, **options})
    with torch._inductor.config.patch(freezing=True):
        step(*call.args)
    return partial(step, *call.args)


def onnx_runtime(job: Job, profile: str | None = None) -> Call:
    """profile: where its profile goes, which it writes when the session ends."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")  # its idle threads leave the others alone
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    session = onnxruntime.InferenceSession(job.onnx, options, providers=["CPUExecutionProvider"])
    bound = session.io_binding()
    for description, array in zip(session.get_inputs(), job.arrays, strict=True):
        bound.bind_ortvalue_input(description.name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    for description in session.get_outputs():
        bound.bind_output(description.name)

    def call() -> list[np.ndarray]:
        session.run_with_iobinding(bound)
        return bound.get_outputs()

    call.session = session
    return call


def openvino(job: Job, profile: bool = False) -> Call:
    import openvino

    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": job.threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERF_COUNT": profile,
    }
    request = openvino.Core().compile_model(job.onnx, "CPU", options).create_infer_request()

    def call() -> list[np.ndarray]:
        return list(request.infer(job.arrays, share_inputs=True, share_outputs=True).values())

    call.request = request
    return call


def ours(job: Job) -> Call:
    return partial(job.fast, *in_layout(job.fast.inputs, torch.channels_last))


OURS = "ours"
CONTENDERS: dict[str, Callable[[Job], Call]] = {
    "eager, contiguous": partial(eager, layout=torch.contiguous_format),
    "eager, channels last": partial(eager, layout=torch.channels_last),
    "torch.compile": compiled,
    "torch.compile, max-autotune": partial(compiled, max_autotune=True),
    "ONNX Runtime": onnx_runtime,
    "OpenVINO": openvino,
    OURS: ours,
}
