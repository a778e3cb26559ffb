#!/usr/bin/env bash
# bench/gpu.sh OUTDIR: all that a GPU can prove and measure, in one command, under ten minutes, without a network.
#
# Builds and installs the checkout, runs the GPU tests, then the speed and memory benchmarks; writes CSV, summary.md and log.txt
# into OUTDIR. Needs Python 3.11 or newer, torch, triton, pybind11, ninja, pytest and pytest-benchmark, and nvcc for the CUDA C++ kernels;
# with pytest-xdist and many cores the tests run side by side.
# A step that fails or runs out of time is reported, and the next one starts; the exit status says whether all were well.
# PYTHON names the interpreter; MINUTES, 9 if not said, what all steps have together.
set -uo pipefail

[[ $# -eq 1 ]] || { echo "usage: bench/gpu.sh OUTDIR" >&2; exit 2; }
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1" && OUT=$(cd "$1" && pwd) || exit 2
PYTHON=${PYTHON:-python3}
END=$((SECONDS + 60 * ${MINUTES:-9}))
FAILED=0
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT
exec > >(tee "$OUT/log.txt") 2>&1

# step NAME LIMIT COMMAND...: runs it within LIMIT seconds, or what is left of them, and adds a line to the summary. An interrupt
# ends it, so that a benchmark still writes what it has.
step() {
    local name=$1 limit=$2 begin=$SECONDS status
    shift 2
    local left=$((END - SECONDS))
    ((limit < left)) || limit=$left
    if ((limit <= 0)); then
        status="not begun: no time left"
    else
        printf '\n=== %s\n' "$name"
        timeout --signal=INT --kill-after=20 "$limit" "$@"
        case $? in
            0) status=ok ;;
            124 | 137) status="stopped after $limit s" ;;
            *) status="failed ($?)" ;;
        esac
    fi
    [[ $status == ok ]] || FAILED=1
    printf '| %s | %s | %d |\n' "$name" "$status" $((SECONDS - begin)) >>"$OUT/summary.md"
}

machine() {
    "$PYTHON" - <<'PYTHON'
import platform
from importlib.metadata import PackageNotFoundError, version

import torch


def found(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


packages = ", ".join(f"{name} {found(name)}" for name in ("triton", "av", "pytest-benchmark"))
print(f"Python {platform.python_version()}, torch {torch.__version__} (CUDA {torch.version.cuda}), {packages}")
for i in range(torch.cuda.device_count()):
    gpu = torch.cuda.get_device_properties(i)
    memory = gpu.total_memory / 2**30
    print(f"cuda:{i} {gpu.name}, sm_{gpu.major}{gpu.minor}, {gpu.multi_processor_count} processors, {memory:.0f} GiB")
if not torch.cuda.is_available():
    print("no GPU: what needs one is skipped or measured on the CPU")
PYTHON
    nvcc --version 2>/dev/null | sed -n 's/.*\(release.*\)/nvcc \1/p'
    nvidia-smi --query-gpu=driver_version,clocks.sm,clocks.mem --format=csv,noheader 2>/dev/null
    git -C "$ROOT" describe --always --dirty --abbrev=12 2>/dev/null | sed 's/^/commit /'
}

# This GPU's code alone builds in half the time.
architecture() {
    "$PYTHON" -c 'import torch; print("{}{}".format(*torch.cuda.get_device_capability()))' 2>/dev/null || echo 90
}

measure() { # CSV, BACKEND or "", then what pytest is to run
    local csv=$1 backend=$2
    shift 2
    env ${backend:+VDEBLUR_BACKEND=$backend} "$PYTHON" -m pytest -q -p no:cacheprovider --benchmark --benchmark-csv "$csv" \
        --benchmark-disable-gc "$@"
}
export -f measure
export PYTHON

# Where there are many cores, tests run side by side, and beside them every network is compiled by PyTorch once, which
# finds it in its cache when it is measured.
WORKERS=
if (($(nproc) >= 12)) && "$PYTHON" -c 'import xdist' 2>/dev/null; then WORKERS="-n 8"; fi
ahead() {
    local test
    while read -r test; do
        timeout 150 "$PYTHON" -m pytest -q -p no:cacheprovider --benchmark "$test" &
    done < <("$PYTHON" -m pytest -q --benchmark --collect-only -k bf16 bench/test_networks.py | grep ::) >/dev/null 2>&1
    wait
}

{
    echo "# bench/gpu.sh, $(date -u '+%Y-%m-%d %H:%M') UTC"
    echo
    machine | sed 's/^/- /'
    echo
    echo "| step | outcome | seconds |"
    echo "|---|---|---:|"
} | tee "$OUT/summary.md"

cd "$ROOT" || exit 1
[[ -e .git ]] && export GIT_DIR="$ROOT/.git" GIT_WORK_TREE="$ROOT"
VDEBLUR_CUDA_ARCHS=${VDEBLUR_CUDA_ARCHS:-$(architecture)} step "build and install" 240 \
    "$PYTHON" -m pip install --no-deps --no-build-isolation --no-index --verbose .

# Tests and benchmarks run beside the installed package, not beside the sources, which would hide it.
cp -r "$ROOT"/{tests,bench,csrc,pyproject.toml} "$STAGE"
cd "$STAGE" || exit 1
step "CUDA C++ kernels are there" 30 "$PYTHON" -c 'from vdeblur_fast.kernels.cuda import library; print(library.library())'
[[ -z $WORKERS ]] || ahead &
AHEAD=$!
step "GPU tests" 200 "$PYTHON" -m pytest -q -p no:cacheprovider $WORKERS tests/kernels/test_cuda_library.py tests/gpu
wait "$AHEAD"

# The networks first, for they are what all else is for.
step "networks at 720p, bfloat16" 180 bash -c 'measure "$@"' - "$OUT/networks.csv" "" -k bf16 bench/test_networks.py

readarray -t IN_CUDA < <(for file in csrc/cuda/*.cu; do ls "bench/test_$(basename "$file" .cu).py" 2>/dev/null; done)
readarray -t OPERATORS < <(ls bench/test_*.py | grep -v networks)
# First one size of each, for a compilation by PyTorch takes seconds; the others in what time is left.
MAIN='not t5 or c64-1280x720-m16'
step "operators, bfloat16" 100 bash -c 'measure "$@"' - "$OUT/operators.csv" "" -k "bf16 and ($MAIN)" "${OPERATORS[@]}"
step "operators in CUDA C++, bfloat16" 60 \
    bash -c 'measure "$@"' - "$OUT/operators-cuda.csv" cuda -k "bf16 and ($MAIN)" "${IN_CUDA[@]}"
step "memory" 40 "$PYTHON" -m bench.memory --out "$OUT/memory"
step "operators, float32" 100 bash -c 'measure "$@"' - "$OUT/operators-fp32.csv" "" -k "fp32 and ($MAIN)" "${OPERATORS[@]}"
step "operators, other sizes" 120 \
    bash -c 'measure "$@"' - "$OUT/operators-others.csv" "" -k "bf16 and not ($MAIN)" "${OPERATORS[@]}"

{
    echo
    echo '```'
    sed -n '/^=* *beside PyTorch and the limit/,/^written to/p; /^[0-9]* passed\|^[0-9]* failed\|^FAILED\|^ERROR/p' "$OUT/log.txt"
    echo '```'
} >>"$OUT/summary.md"
printf '\n'
cat "$OUT/summary.md"
exit $FAILED
