"""Builds the native kernel; everything else about the package is in pyproject.toml.

    python setup.py build_ext --inplace

Without a C++17 compiler the package installs all the same, and serves with the reference engine.
"""

from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

SOURCES = Path("service/inference/native")

ParallelCompile().install()

setup(
    ext_modules=[
        Pybind11Extension(
            "service.inference.native._kernel",
            sorted(str(path) for path in SOURCES.glob("*.cpp")),
            depends=sorted(str(path) for path in SOURCES.glob("*.h")),
            cxx_std=17,
            # ISO mode would forbid contracting a * b + c where the processor fuses it (ARM);
            # strict aliasing is kept. The kernel selects instruction sets itself, file by file.
            extra_compile_args=["-O3", "-ffp-contract=fast", "-pthread"],
            extra_link_args=["-pthread"],
            optional=True,
        )
    ]
)
