"""Names the packages. Everything else about the project stands in pyproject.toml.

`reference/` and `training/` stand at the top level of the checkout, because they are read and run on their own, and
install inside the package, because they belong to it.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
INSTALLED_AS = {"reference": "vdeblur_fast.reference", "training": "vdeblur_fast.training"}


def packages() -> list[str]:
    found = find_packages(str(HERE), include=["vdeblur_fast", "vdeblur_fast.*"])
    for folder, name in INSTALLED_AS.items():
        found += [name] + [f"{name}.{child}" for child in find_packages(str(HERE / folder))]
    return found


setup(
    packages=packages(),
    package_dir={"vdeblur_fast": "vdeblur_fast", **{name: folder for folder, name in INSTALLED_AS.items()}},
    package_data={"vdeblur_fast.weights": ["*.safetensors", "*.json"]},
)
