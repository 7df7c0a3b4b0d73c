"""Program for the inside of the image, read from standard input: prints its content as JSON."""

import json
import shutil
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

PROGRAMS = ("cc", "gcc", "g++", "clang", "ld", "as", "make", "nvcc")
LIBRARIES = ("libtorch", "libcuda", "libcublas", "libcudnn")
PARTS = ("/opt/venv", "/opt/valence/models", "/opt/valence/src")


def weigh(folder: str) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in Path(folder).rglob("*") if path.is_file())


def package(found: Distribution) -> int:
    """Return the bytes of a distribution's files and of their bytecode."""
    total = 0
    for file in found.files or ():
        path = Path(str(found.locate_file(file)))
        compiled = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
        total += sum(p.stat().st_size for p in {path, compiled} if p.is_file())
    return total


def main() -> None:
    """Print the content of the image."""
    (site,) = (path for path in sys.path if path.startswith("/opt/venv"))
    everything = [path for top in ("/opt", "/usr") for path in Path(top).rglob("*")]
    found = {
        "packages": {d.metadata["Name"].lower(): package(d) for d in distributions(path=[site])},
        "parts": {part: weigh(part) for part in PARTS},
        "forbidden": [
            *(program for program in PROGRAMS if shutil.which(program)),
            *(str(path) for path in everything if path.name.startswith(LIBRARIES)),
            *(n for n in ("valence/training", "tests") if Path("/opt/valence/src", n).exists()),
        ],
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
