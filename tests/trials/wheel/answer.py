"""Whether the installed package answers: ``python -m tests.trials.wheel.answer``.

It needs the packages of the wheel alone. On Windows, where the wheel has no native engine, it looks
whether the import works.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import valence

from tests.support.tiny_models import save_tiny_model


def main() -> int:
    """Print the engine and a label; return 1 if another engine than the native one answers."""
    if sys.platform == "win32":
        sys.stdout.write(f"valence {valence.__version__} is imported\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        model = valence.load(save_tiny_model(Path(folder) / "model"))
        sys.stdout.write(f"{model.engine}: {model('Great')['label']}\n")
    return int(not model.engine.startswith("native-"))


if __name__ == "__main__":
    sys.exit(main())
