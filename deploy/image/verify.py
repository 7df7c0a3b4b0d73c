"""Verify a bento while the image is built: the seal of each model, and the native engine.

Usage: python verify.py BENTO
"""

import sys
from pathlib import Path


def main(bento: Path) -> None:
    """Exit with an error if this environment cannot serve the folder ``bento``."""
    sys.path.insert(0, str(bento / "src"))
    from valence.service.classifier import artifact
    from valence.service.inference.engines import factory
    from valence.service.observability.log import Log

    folders = sorted(path.parent for path in bento.glob("models/*/*/model.json"))
    if not folders and "VALENCE_MODEL_SOURCE" not in (bento / "bento.yaml").read_text("utf-8"):
        sys.exit(
            f"{bento} contains no models; train one with `make train` and build again, or name "
            "where pods get them: VALENCE_MODEL_SOURCE=s3://BUCKET/PATH make image VARIANT=store"
        )
    if not folders:
        factory.require("native")
    for folder in folders:
        # Loading a model reads every file and verifies its checksum.
        model = artifact.load(folder)
        engine = factory.create(model, name="auto", log=Log(sys.stderr))
        if not engine.name.startswith(("native", "cuda")):
            sys.exit(
                f"the engine for {folder.name} would be {engine.name}: the native engine in the "
                "bento was built for another Python or C library than the image has"
            )
        sys.stdout.write(f"{model.manifest.name} {model.manifest.version}: {engine.name}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
