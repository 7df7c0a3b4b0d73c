"""Where a task's texts lie: in a folder of its name, on the Hugging Face Hub, or in torchtext."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.tables import FORMATS, detect_format
from valence.training.corpora import hub, torchtext_sets
from valence.training.experiments.tasks.task import Task, TaskFiles

HUB = "hf"
TORCHTEXT = "torchtext"
# what data sets call the two splits; test texts are left alone, and so is what has no label
_TRAIN = ("train",)
_DEV = ("dev", "valid", "validation", "val")
_UNLABELLED = ("unlabelled", "unlabeled", "unsupervised")


def find(task: Task, data: str, *, cache: Path, say: Callable[[str], None]) -> TaskFiles:
    """The texts of ``task`` in ``data``: a folder that holds one a task, ``hf``, or ``torchtext``.

    Where the task names others whose texts are to be read unlabelled, and ``data`` is such a
    folder, theirs too. Raises :class:`ConfigurationError` where there are none to train on.
    """
    text, label = "text", "label"
    unlabelled: tuple[str, ...] = ()
    if data == HUB:
        paths = hub.fetch_files(f"{hub.PREFIX}{task.hub.name}", cache)
        text, label = task.hub.text, task.hub.label
    elif data == TORCHTEXT:
        if task.torchtext is None:
            raise ConfigurationError(
                f"torchtext has no {task.name}; give a folder that holds {task.name}/, or {HUB}"
            )
        paths = torchtext_sets.fetch_files(f"{torchtext_sets.PREFIX}{task.torchtext}", cache)
    else:
        paths = _in(Path(data) / task.name)
        unlabelled = tuple(
            file
            for other in task.unlabelled
            if (Path(data) / other).is_dir()
            for file in _of(_in(Path(data) / other), _UNLABELLED)
        )
    train, dev = (_of(paths, split) for split in (_TRAIN, _DEV))
    if not train:
        there = ", ".join(path.name for path in paths) or "nothing"
        raise ConfigurationError(
            f"{data}: there are no texts to train {task.name} on; wanted is a file called train "
            f"({', '.join(FORMATS)}), there is {there}"
        )
    others = len({*map(str, paths)} - {*train, *dev, *unlabelled})
    if others:
        say(f"{task.name}: {others} other files are not read")
    if task.unlabelled and not unlabelled:
        say(
            f"{task.name}: its recipe reads unlabelled texts of {', '.join(task.unlabelled)}, and "
            f"{data} has none: it is trained without"
        )
    return TaskFiles(train, dev, text, label, unlabelled)


def _in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigurationError(
            f"{folder}: no such folder; DATA is a folder that holds one a task, or {HUB} for those "
            f"of the Hugging Face Hub, or {TORCHTEXT}"
        )
    return sorted(path for path in folder.iterdir() if path.is_file() and detect_format(path))


def _of(paths: Sequence[Path], split: Sequence[str]) -> tuple[str, ...]:
    """Those called after the split, or ending so, shards of it too: ``train-00000-of-00002``."""
    found = []
    for path in paths:
        words = path.name.partition(".")[0].lower().replace("_", "-").split("-")
        if words[0] in split or words[-1] in split:
            found.append(str(path))
    return tuple(found)
