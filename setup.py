"""Names the packages and builds the native modules. Everything else about the project stands in pyproject.toml.

`reference/` and `training/` stand at the top level of the checkout, because they are read and run on their own, and
install inside the package, because they belong to it.

The CPU kernels of csrc/cpu become the module vdeblur_fast._cpu: pybind11 and a C++17 compiler with OpenMP, no torch.
ninja keeps its objects in build/native, so a change to one file compiles that file. VDEBLUR_NATIVE=0 installs without
the module; every operator then runs in plain PyTorch. CXX names the compiler.

The CUDA kernels of csrc/cuda become the library vdeblur_fast/_cuda, which ctypes loads: nvcc alone, found in CUDA_HOME
or PATH; no GPU is needed, and nothing of torch. Without nvcc they are left out. VDEBLUR_CUDA=1 insists on them,
VDEBLUR_CUDA=0 leaves them out anyway. VDEBLUR_CUDA_ARCHS names the GPUs, "80;90" if not said; newer ones run the last
one's PTX.
"""

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

HERE = Path(__file__).parent.resolve()
INSTALLED_AS = {"reference": "vdeblur_fast.reference", "training": "vdeblur_fast.training"}
KERNELS = HERE / "csrc" / "cpu"
CUDA_KERNELS = HERE / "csrc" / "cuda"
FLAGS = "-std=c++17 -O3 -fPIC -fopenmp -fvisibility=hidden -fno-math-errno -Wall -Wextra -Wno-maybe-uninitialized"
CUDA_FLAGS = "-std=c++17 -O3 -Xcompiler=-fPIC,-Wall"
# The CUDA runtime that is linked in must not meet the one that torch brings.
CUDA_LINK_FLAGS = "-shared -Xlinker=--exclude-libs,ALL"
REMEDY = "install a C++17 compiler (on Debian or Ubuntu: apt-get install g++) or name one in CXX, \
or set VDEBLUR_NATIVE=0 to install without the fast CPU kernels"
CUDA_REMEDY = "install the CUDA toolkit, or set VDEBLUR_CUDA=0 to install without the CUDA C++ kernels"


def packages() -> list[str]:
    found = find_packages(str(HERE), include=["vdeblur_fast", "vdeblur_fast.*"])
    for folder, name in INSTALLED_AS.items():
        found += [name] + [f"{name}.{child}" for child in find_packages(str(HERE / folder))]
    return found


def extensions() -> list[Extension]:
    if os.environ.get("VDEBLUR_NATIVE", "1") == "0":
        return []
    sources = sorted(str(file.relative_to(HERE)) for file in KERNELS.glob("*.cpp"))
    headers = [str(file.relative_to(HERE)) for pattern in ("*.h", "*.inl") for file in KERNELS.glob(pattern)]
    return [Extension("vdeblur_fast._cpu", sources, depends=sorted(headers)), *cuda_extensions()]


def cuda_extensions() -> list[Extension]:
    wanted = os.environ.get("VDEBLUR_CUDA", "auto")
    if wanted == "0" or (wanted != "1" and nvcc() is None):
        return []
    sources = sorted(str(file.relative_to(HERE)) for file in CUDA_KERNELS.glob("*.cu"))
    headers = sorted(str(file.relative_to(HERE)) for file in CUDA_KERNELS.glob("*.cuh"))
    return [Extension("vdeblur_fast._cuda", sources, depends=headers, optional=wanted != "1")]


def nvcc() -> str | None:
    home = os.environ.get("CUDA_HOME")
    return (home and shutil.which("nvcc", path=str(Path(home) / "bin"))) or shutil.which("nvcc")


def cuda_archs() -> str:
    """Machine code for each GPU named, and the last one's PTX, which newer GPUs' drivers compile."""
    archs = os.environ.get("VDEBLUR_CUDA_ARCHS", "80;90").replace(",", ";").split(";")
    codes = [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in archs]
    return " ".join([*codes, f"-gencode=arch=compute_{archs[-1]},code=compute_{archs[-1]}"])


class BuildNative(build_ext):
    """One ninja file per module: one object per source, recompiled when it or a header it includes has changed."""

    def run(self) -> None:
        if self.extensions and not any(extension.name.endswith("_cuda") for extension in self.extensions):
            print("vdeblur_fast: no nvcc in CUDA_HOME or PATH, or VDEBLUR_CUDA=0: building without csrc/cuda")
        super().run()

    def build_extension(self, extension: Extension) -> None:
        import ninja

        cuda = extension.name.endswith("_cuda")
        compiler, compile_with, link_with = self.nvcc() if cuda else self.cxx()
        folder, remedy = ("csrc/cuda", CUDA_REMEDY) if cuda else ("csrc/cpu", REMEDY)
        target = Path(self.get_ext_fullpath(extension.name)).resolve()
        objects = HERE / "build" / "native" / target.name
        objects.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        script = self.ninja_file(extension, compile_with, link_with)
        (objects / "build.ninja").write_text(script, encoding="utf-8")
        command = [str(Path(ninja.BIN_DIR) / "ninja"), "-C", str(objects)]
        if jobs := os.environ.get("MAX_JOBS"):
            command += ["-j", jobs]
        if subprocess.run(command).returncode:
            raise CompileError(
                f"vdeblur_fast: {compiler!r} could not compile {folder} (its messages stand above); {remedy}"
            )
        # Put in place at once: a process that has the old one loaded keeps it.
        shutil.copyfile(objects / "module.so", partial := target.with_suffix(".part"))
        partial.replace(target)

    def cxx(self) -> tuple[str, str, str]:
        """The C++ compiler, and the commands to compile and to link with."""
        import pybind11

        compiler = os.environ.get("CXX", "g++")
        if shutil.which(compiler.split()[0]) is None:
            raise CompileError(f"vdeblur_fast: the C++ compiler {compiler!r} was not found; {REMEDY}")
        includes = " ".join(f"'-I{folder}'" for folder in [pybind11.get_include(), *self.include_dirs])
        return compiler, f"{compiler} {FLAGS} {includes}", f"{compiler} -shared -fopenmp"

    @staticmethod
    def nvcc() -> tuple[str, str, str]:
        """nvcc, and the commands to compile and to link with."""
        compiler = nvcc()
        if compiler is None:
            raise CompileError(f"vdeblur_fast: nvcc was not found in CUDA_HOME or PATH; {CUDA_REMEDY}")
        return compiler, f"'{compiler}' {CUDA_FLAGS} {cuda_archs()}", f"'{compiler}' {CUDA_LINK_FLAGS} {cuda_archs()}"

    @staticmethod
    def ninja_file(extension: Extension, compile_with: str, link_with: str) -> str:
        def path(name: str | Path) -> str:
            return str(name).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")

        lines = [
            "rule compile",
            f"  command = {compile_with} -MMD -MF $out.d -c $in -o $out",
            "  depfile = $out.d",
            "  deps = gcc",
            "rule link",
            f"  command = {link_with} $in -o $out",
        ]
        names = [Path(source).stem + ".o" for source in extension.sources]
        for source, name in zip(extension.sources, names, strict=True):
            lines.append(f"build {name}: compile {path(HERE / source)}")
        lines.append(f"build module.so: link {' '.join(names)}")
        return "\n".join([*lines, ""])


setup(
    packages=packages(),
    package_dir={"vdeblur_fast": "vdeblur_fast", **{name: folder for folder, name in INSTALLED_AS.items()}},
    package_data={"vdeblur_fast.weights": ["*.safetensors", "*.json"], "vdeblur_fast.cli": ["counts.json"]},
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildNative},
)
