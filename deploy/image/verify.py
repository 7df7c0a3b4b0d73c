"""Run while the image is built: the models are what was sealed, and the native engine loads.

python verify.py BENTO
"""

import sys
from pathlib import Path


def main(bento: Path) -> None:
    """Raise unless the bento can be served by this environment as it is."""
    sys.path.insert(0, str(bento / "src"))
    from service.classifier import artifact
    from service.inference import engines
    from service.log import Log

    folders = sorted(path.parent for path in bento.glob("models/*/*/model.json"))
    if not folders:
        sys.exit(f"{bento} holds no model; train one with `make train` and build again")
    for folder in folders:
        # reads every file and its checksum
        model = artifact.load(folder)
        engine = engines.create(model, name="auto", log=Log(sys.stderr))
        if not engine.name.startswith(("native", "cuda")):
            sys.exit(
                f"{folder.name} would be computed by {engine.name}: the bento's native engine "
                "is of another Python or C library than the image"
            )
        sys.stdout.write(f"{model.manifest.name} {model.manifest.version}: {engine.name}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
