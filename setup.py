"""What pyproject.toml cannot say: which folder is which package, and how the kernel is built.

    python setup.py build_ext --inplace

Without a C++17 compiler the package installs all the same, and serves with the reference engine.
"""

from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import find_packages, setup

# The folders keep their names in the repository; installed, all of them are inside `valence`.
FOLDERS = {
    "valence": "service/python",
    "valence.service": "service",
    "valence.training": "training",
}
KERNEL = Path("service/inference/engines/kernel")
FOUND = find_packages(include=["service", "service.*", "training", "training.*"])

ParallelCompile().install()

setup(
    package_dir=FOLDERS,
    packages=["valence", *(f"valence.{name}" for name in FOUND if name != "service.python")],
    ext_modules=[
        Pybind11Extension(
            "valence.service.inference.engines.kernel._kernel",
            sorted(str(path) for path in KERNEL.glob("*.cpp")),
            depends=sorted(str(path) for path in KERNEL.glob("*.h")),
            cxx_std=17,
            # ISO mode would forbid contracting a * b + c where the processor fuses it (ARM);
            # strict aliasing is kept. The kernel selects instruction sets itself, file by file.
            # Symbols of debuggers would name the folder of the build: the wheel would depend on it.
            extra_compile_args=["-O3", "-g0", "-ffp-contract=fast", "-pthread"],
            extra_link_args=["-pthread"],
            optional=True,
        )
    ],
)
