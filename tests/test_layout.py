"""The house keeps its floors: who may import whom, and what may not be imported in passing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vdeblur_fast

ROOT = Path(__file__).parent.parent
# What each floor may import of ours; `errors` is open to all above the reference.
ALLOWED = {
    "reference": {"reference"},
    "training": {"training", "reference", "weights", "device", "errors", "memory"},
    "vdeblur_fast/weights": {"weights", "reference", "errors"},
    "vdeblur_fast/acceleration": {"acceleration", "device", "modules", "ops", "reference", "errors"},
    "vdeblur_fast/engine": {"engine", "acceleration", "defaults", "device", "weights", "reference", "errors"},
    "vdeblur_fast/video": {"video", "errors"},
    "vdeblur_fast/inspection": {"inspection", "engine", "video", "reference", "errors"},
    "vdeblur_fast/kernels": {"kernels"},
    "vdeblur_fast/ops": {"ops", "kernels", "_cpu", "reference", "errors"},
    "vdeblur_fast/modules": {"modules", "ops", "reference", "errors"},
}


def imported(file: Path) -> set[str]:
    """The first name under vdeblur_fast of everything of ours that a file imports."""
    inside = file.relative_to(ROOT).with_suffix("")
    package = ("vdeblur_fast", *inside.parts) if inside.parts[0] in ("reference", "training") else inside.parts
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        found |= {name[1] for name in names if name[0] == "vdeblur_fast" and len(name) > 1}
    return found


@pytest.mark.parametrize("floor", ALLOWED)
def test_a_floor_imports_only_from_those_under_it(floor):
    files = sorted((ROOT / floor).rglob("*.py"))
    assert files
    for file in files:
        surplus = imported(file) - ALLOWED[floor] - {"__version__"}
        assert not surplus, f"{file.relative_to(ROOT)} imports {', '.join(sorted(surplus))}"


def test_importing_the_package_pulls_in_no_video_and_no_picture_library():
    code = (
        "import sys, vdeblur_fast; vdeblur_fast.Deblurrer; vdeblur_fast.build; "
        "print([m for m in ('av', 'cv2', 'skimage', 'matplotlib') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert found.stdout.strip() == "[]"


def test_the_errors_need_no_torch():
    code = "import sys, vdeblur_fast.errors; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert found.stdout.strip() == "False"


def test_everything_public_can_be_had():
    for name in vdeblur_fast.__all__:
        assert getattr(vdeblur_fast, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vdeblur_fast.nonsense  # noqa: B018


def test_packages_can_be_had_by_name_and_are_fetched_then():
    code = (
        "import sys, vdeblur_fast; print('torch' in sys.modules, "
        "*(getattr(vdeblur_fast, name).__name__ for name in ('ops', 'reference', 'weights', 'inspection', 'training')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    names = ("ops", "reference", "weights", "inspection", "training")
    assert found.stdout.split() == ["False", *(f"vdeblur_fast.{name}" for name in names)]


def test_no_file_grows_without_limit():
    for file in ROOT.rglob("*.py"):
        if ".venv" not in file.parts and "build" not in file.parts:
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file
