"""Names the packages and builds the native module. Everything else about the project stands in pyproject.toml.

`reference/` and `training/` stand at the top level of the checkout, because they are read and run on their own, and
install inside the package, because they belong to it.

The CPU kernels of csrc/cpu become the module vdeblur_fast._cpu: pybind11 and a C++17 compiler with OpenMP, no torch.
ninja keeps its objects in build/native, so a change to one file compiles that file. VDEBLUR_NATIVE=0 installs without
the module; every operator then runs in plain PyTorch. CXX names the compiler.
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
FLAGS = "-std=c++17 -O3 -fPIC -fopenmp -fvisibility=hidden -fno-math-errno -Wall -Wextra -Wno-maybe-uninitialized"
REMEDY = "install a C++17 compiler (on Debian or Ubuntu: apt-get install g++) or name one in CXX, \
or set VDEBLUR_NATIVE=0 to install without the fast CPU kernels"


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
    return [Extension("vdeblur_fast._cpu", sources, depends=sorted(headers))]


class BuildNative(build_ext):
    """One ninja file per module: one object per source, recompiled when it or a header it includes has changed."""

    def build_extension(self, extension: Extension) -> None:
        import ninja
        import pybind11

        compiler = os.environ.get("CXX", "g++")
        if shutil.which(compiler.split()[0]) is None:
            raise CompileError(f"vdeblur_fast: the C++ compiler {compiler!r} was not found; {REMEDY}")
        target = Path(self.get_ext_fullpath(extension.name)).resolve()
        objects = HERE / "build" / "native" / target.name
        objects.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        script = self.ninja_file(extension, compiler, [pybind11.get_include(), *self.include_dirs])
        (objects / "build.ninja").write_text(script, encoding="utf-8")
        command = [str(Path(ninja.BIN_DIR) / "ninja"), "-C", str(objects)]
        if jobs := os.environ.get("MAX_JOBS"):
            command += ["-j", jobs]
        if subprocess.run(command).returncode:
            raise CompileError(
                f"vdeblur_fast: {compiler!r} could not compile csrc/cpu (its messages stand above); {REMEDY}"
            )
        # Put in place at once: a process that has the old one loaded keeps it.
        shutil.copyfile(objects / "module.so", partial := target.with_suffix(".part"))
        partial.replace(target)

    @staticmethod
    def ninja_file(extension: Extension, compiler: str, include: list[str]) -> str:
        def path(name: str | Path) -> str:
            return str(name).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")

        includes = " ".join(f"'-I{folder}'" for folder in include)
        lines = [
            "rule compile",
            f"  command = {compiler} {FLAGS} {includes} -MMD -MF $out.d -c $in -o $out",
            "  depfile = $out.d",
            "  deps = gcc",
            "rule link",
            f"  command = {compiler} -shared -fopenmp $in -o $out",
        ]
        names = [Path(source).stem + ".o" for source in extension.sources]
        for source, name in zip(extension.sources, names, strict=True):
            lines.append(f"build {name}: compile {path(HERE / source)}")
        lines.append(f"build module.so: link {' '.join(names)}")
        return "\n".join([*lines, ""])


setup(
    packages=packages(),
    package_dir={"vdeblur_fast": "vdeblur_fast", **{name: folder for folder, name in INSTALLED_AS.items()}},
    package_data={"vdeblur_fast.weights": ["*.safetensors", "*.json"]},
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildNative},
)
