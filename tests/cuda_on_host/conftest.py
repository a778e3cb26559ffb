"""The CUDA kernels, compiled for the CPU from the same sources that nvcc takes."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vdeblur_fast.kernels.cuda import library

from .guarding import Guard

HERE = Path(__file__).parent
KERNELS = HERE.parent.parent / "csrc" / "cuda"
# What is out of an array or misaligned stops the thread with a signal that the header turns into a sentence.
FLAGS = f"-std=c++17 -O1 -march=native -x c++ -fPIC -shared -fno-gnu-unique -DVDEBLUR_ON_HOST -I{HERE} -I{KERNELS} \
-Wall -Wextra -Werror -Wno-unknown-pragmas -fsanitize=alignment,bounds -fsanitize-undefined-trap-on-error"


def compiled(target: Path, *sources: Path) -> ctypes.CDLL:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"no C++ compiler {compiler!r} here")
    command = [*compiler.split(), *FLAGS.split(), *map(str, sources), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(target))


@pytest.fixture(scope="session")
def host_library(tmp_path_factory) -> ctypes.CDLL:
    return compiled(tmp_path_factory.mktemp("host") / "cuda.so", *sorted(KERNELS.glob("*.cu")))


@pytest.fixture(params=["start", "end"])
def guard(request, host_library, monkeypatch) -> Iterator[Guard]:
    """The launchers of `vdeblur_fast.kernels.cuda` run on the host, in guarded memory such as this makes."""
    guard = Guard(request.param)
    monkeypatch.setattr(library, "_load", lambda: (host_library, ""))
    plain = library.workspace
    monkeypatch.setattr(library, "workspace", lambda *given: guard(plain(*given).fill_(0xFF)))
    pretend(host_library)
    yield guard
    guard.check()


def pretend(host: ctypes.CDLL, processors: int = 4, shared: int = 160 << 10, backwards: bool = False) -> None:
    """What GPU the launchers find, and in which order the threads of a block take their turns."""
    host.pretend(processors, shared, backwards)


@pytest.fixture
def small_chip(host_library) -> Iterator[None]:
    """So little shared memory that a frame takes many tiles."""
    pretend(host_library, processors=2, shared=48 << 10)
    yield
    pretend(host_library)


def poisoned(like: torch.Tensor) -> torch.Tensor:
    """A result that nobody has written yet."""
    return torch.full_like(like, torch.nan)
