"""The files of a task: in a folder with its name, on the Hugging Face Hub, or in torchtext."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.formats import FORMATS, has_table_name
from valence.training.corpora import hub, torchtext_sets
from valence.training.experiments.tasks.task import Task, TaskFiles

HUB = "hf"
TORCHTEXT = "torchtext"
# names of splits in data sets; test texts and texts without labels are not read for training
_TRAIN = ("train",)
_DEV = ("dev", "valid", "validation", "val")
_UNLABELLED = ("unlabelled", "unlabeled", "unsupervised")


def find_task_files(task: Task, data: str, *, cache: Path, say: Callable[[str], None]) -> TaskFiles:
    """The files of ``task`` in ``data``.

    ``data`` is a folder with one subfolder for each task, ``hf``, or ``torchtext``. If ``data`` is
    a folder, the result includes the unlabelled texts that the recipe names. Raises
    :class:`ConfigurationError` if there are no training texts.
    """
    text, label = "text", "label"
    unlabelled: tuple[str, ...] = ()
    if data == HUB:
        paths = hub.fetch_files(f"{hub.PREFIX}{task.hub.name}", cache)
        text, label = task.hub.text, task.hub.label
    elif data == TORCHTEXT:
        if task.torchtext is None:
            raise ConfigurationError(
                f"torchtext has no {task.name}; give a folder with the subfolder {task.name}/, "
                f"or {HUB}"
            )
        paths = torchtext_sets.fetch_files(f"{torchtext_sets.PREFIX}{task.torchtext}", cache)
    else:
        paths = _list_files(Path(data) / task.name)
        unlabelled = tuple(
            file
            for name in task.unlabelled
            if (Path(data) / name).is_dir()
            for file in _select_split(_list_files(Path(data) / name), _UNLABELLED)
        )
    train, dev = (_select_split(paths, split) for split in (_TRAIN, _DEV))
    if not train:
        names = ", ".join(path.name for path in paths) or "no file"
        raise ConfigurationError(
            f"{data}: there are no training texts for {task.name}; expected is a file called train "
            f"({', '.join(FORMATS)}), found: {names}"
        )
    others = len({*map(str, paths)} - {*train, *dev, *unlabelled})
    if others:
        say(f"{task.name}: {others} other files are ignored")
    if task.unlabelled and not unlabelled:
        say(
            f"{task.name}: its recipe uses unlabelled texts of {', '.join(task.unlabelled)}, but "
            f"{data} has none, so the training goes without them"
        )
    return TaskFiles(train, dev, text, label, unlabelled)


def _list_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigurationError(
            f"{folder}: no such folder; --data is a folder with one subfolder for each task, or "
            f"{HUB} for the Hugging Face Hub, or {TORCHTEXT}"
        )
    return sorted(path for path in folder.iterdir() if path.is_file() and has_table_name(path))


def _select_split(paths: Sequence[Path], split: Sequence[str]) -> tuple[str, ...]:
    """The files whose name begins or ends with a name of the split.

    Shards such as ``train-00000-of-00002`` belong to their split.
    """
    selected = []
    for path in paths:
        words = path.name.partition(".")[0].lower().replace("_", "-").split("-")
        if words[0] in split or words[-1] in split:
            selected.append(str(path))
    return tuple(selected)
