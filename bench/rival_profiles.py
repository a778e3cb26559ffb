"""Why a rival is faster: its time and ours, by what it is spent on."""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch

from bench.contenders import OURS, Call, Job, onnx_runtime, openvino
from bench.timing import Spread

CALLS = 3
CONVOLUTIONS, REST = "convolutions", "all else"
# How the engines call what multiplies matrices; our fused blocks, which do, are `vdeblur_fast::...`
MULTIPLIES = ("conv", "gemm", "matmul", "fullyconnected", "mm", "residual_dense_block", "temporal_blend")


def kind(operator: str) -> str:
    name = operator.lower()
    return CONVOLUTIONS if any(part in name for part in MULTIPLIES) else REST


def of_onnx_runtime(job: Job) -> Counter[str]:
    """Milliseconds of a call, by operator."""
    with tempfile.TemporaryDirectory() as folder:
        call = onnx_runtime(job, str(Path(folder) / "profile"))
        for _ in range(CALLS + 1):
            call()
        events = json.loads(Path(call.session.end_profiling()).read_text(encoding="utf-8"))
    found: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            found[event["args"]["op_name"]] += event["dur"] / 1e3 / (CALLS + 1)
    return found


def of_openvino(job: Job) -> Counter[str]:
    call = openvino(job, profile=True)
    found: Counter[str] = Counter()
    for i in range(CALLS + 1):
        call()
        for node in call.request.profiling_info if i else ():
            found[node.node_type] += node.real_time.total_seconds() * 1e3 / CALLS
    return found


def of_torch(call: Call) -> Counter[str]:
    call()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(CALLS):
            call()
    return Counter({e.key: e.self_cpu_time_total / 1e3 / CALLS for e in profile.key_averages()})


PROFILES = {"ONNX Runtime": of_onnx_runtime, "OpenVINO": of_openvino}


def by_kind(operators: Mapping[str, float]) -> dict[str, float]:
    found = {CONVOLUTIONS: 0.0, REST: 0.0}
    for operator, milliseconds in operators.items():
        found[kind(operator)] += milliseconds
    return found


def sentence(theirs: Mapping[str, float], own: Mapping[str, float], lead: float) -> str:
    """lead: the rival's time over ours, below 1."""
    their, our = by_kind(theirs), by_kind(own)
    decides = max(their, key=lambda what: our[what] - their[what])
    slowest = max((operator for operator in own if kind(operator) == decides), key=own.get, default="nothing")
    if our[decides] > their[decides]:
        verdict = f"so {decides} decide, most of ours in {slowest} ({own.get(slowest, 0):.0f} ms)"
    else:
        verdict = "and the profile does not show why"
    halves = " and ".join(f"{what} take it {their[what]:.0f} ms and us {our[what]:.0f}" for what in their)
    return f"{1 / lead - 1:.0%} faster than ours: {halves}, {verdict}"


def why_ours_loses(job: Job, calls: Mapping[str, Call], times: Mapping[str, Spread]) -> dict[str, str]:
    """For each contender that is faster than ours, a sentence that says where its lead is from; ours gets that of the
    fastest."""
    if OURS not in times:
        return {}
    leads = {name: time.median_ms / times[OURS].median_ms for name, time in times.items()}
    lost = {name: lead for name, lead in leads.items() if lead < 1}
    own = of_torch(calls[OURS]) if lost else {}
    why = {
        name: sentence(PROFILES[name](job) if name in PROFILES else of_torch(calls[name]), own, lead)
        for name, lead in lost.items()
    }
    fastest = min(lost, key=lost.get, default=None)
    return why | ({OURS: f"{fastest} is {why[fastest]}"} if fastest else {})
