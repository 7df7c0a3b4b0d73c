"""Tables that a cluster of Ray scores: Parquet in, a folder of Parquet out, by Ray Data.

Ray reads, sends and writes the rows, and does the work of a process that died again.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import make_unfinished_folder
from valence.service.machine.garbage import spare_loaded_objects
from valence.service.score.arrays import holds_texts
from valence.service.score.packages import import_engine
from valence.service.score.tables import TableScorer, make_scorer

if TYPE_CHECKING:
    import pyarrow

ENGINE = "ray"
_ADDRESS = "RAY_ADDRESS"
# no reports to the makers of Ray; GPUs stay as they are, about which Ray warns otherwise
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# Ray replaces 127.0.0.1 by an address that other machines reach, but not on macOS
_LOOPBACK = "127.0.0.2" if sys.platform == "linux" else None
# rows that are scored together: some tenths of a second
_ROWS = 4_096
# shares of a core, so that each core has room for one that scores and one that reads or writes
_OF_ACTOR, _OF_TASK = 0.75, 0.25


class Classifier:
    """A function for ``map_batches`` of Ray Data that loads the model once in each actor.

    The batch format must be ``pyarrow``. The scorer is the argument of the constructor.
    """

    def __init__(self, scorer: TableScorer) -> None:
        make_scorer(scorer.recipe)
        # the process is that of this actor alone
        spare_loaded_objects()
        self._scorer = scorer

    def __call__(self, table: pyarrow.Table) -> pyarrow.Table:
        """``table`` with the scores of its texts, row for row; raises as :class:`TableScorer`."""
        return self._scorer(table)


@dataclass(frozen=True)
class RayRun:
    """What is scored and where to, by so many ``actors``; 0 means one for each core of the cluster.

    ``source`` and ``out`` are paths or addresses that each machine of the cluster can use.
    """

    source: str
    out: str
    scorer: TableScorer
    actors: int = 0

    def score(self) -> int:
        """Write the rows with their scores to files in the folder ``out``; returns their number.

        The names of the files have the order of the rows. A folder of this machine is there whole
        or not at all; a bucket gets one file after another.

        Raises :class:`ConfigurationError` without Ray, for what Ray cannot read as Parquet, for a
        table without texts, and for a folder that is there already.
        """
        # Ray reads them when it is imported and when it starts
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        ray, data = (
            import_engine(module, extra=ENGINE, what=f"--engine {ENGINE}")
            for module in ("ray", "ray.data")
        )
        if _is_local(self.out) and Path(self.out).exists():
            raise ConfigurationError(
                f"{self.out} is there already; choose another folder, or delete it"
            )
        _set_options(data.DataContext.get_current())
        with _connect(ray), _place(self.out) as folder, _name_failure(ray):
            scored = self._read(data).map_batches(
                Classifier,
                fn_constructor_args=(self.scorer,),
                batch_format="pyarrow",
                batch_size=_ROWS,
                num_cpus=_OF_ACTOR,
                compute=data.ActorPoolStrategy(size=self.actors or _count_cores(ray)),
            )
            scored.write_parquet(
                folder, mode=data.SaveMode.ERROR, ray_remote_args={"num_cpus": _OF_TASK}
            )
            return int(data.read_parquet(folder, num_cpus=_OF_TASK).count())

    def _read(self, data: Any) -> Any:
        try:
            table = data.read_parquet(self.source, num_cpus=_OF_TASK)
            schema = table.schema().base_schema
        # Ray gives whatever the file system and the reader raise
        except Exception as error:
            raise ConfigurationError(
                f"{self.source}: Ray cannot read this as Parquet ({type(error).__name__}); give a "
                f"file or a folder of Parquet, or score a file of another form without --engine "
                f"{ENGINE}"
            ) from None
        self._require_texts(schema)
        return table

    def _require_texts(self, schema: pyarrow.Schema) -> None:
        name, prefix = self.scorer.text_column, self.scorer.prefix
        if name not in schema.names:
            raise ConfigurationError(
                f"{self.source}: no column {name!r}; its columns are {', '.join(schema.names)}; "
                "set the column with the texts by --text-column"
            )
        if not holds_texts(schema.field(name).type):
            raise ConfigurationError(
                f"{self.source}: the column {name!r} has values of the type "
                f"{schema.field(name).type}, not texts; set the column with the texts by "
                "--text-column"
            )
        for column in make_scorer(self.scorer.recipe).columns:
            if f"{prefix}{column}" in schema.names:
                raise ConfigurationError(
                    f"{self.source} already has a column {prefix + column!r}; set a prefix for the "
                    "added columns, such as --prefix predicted_"
                )


def _is_local(place: str) -> bool:
    return "://" not in place


def _count_cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


@contextmanager
def _name_failure(ray: Any) -> Iterator[None]:
    """Raise what failed in a process of Ray as :class:`ConfigurationError`, without its texts."""
    try:
        yield
    except ray.exceptions.RayError as error:
        kind = type(getattr(error, "cause", None) or error).__name__
        raise ConfigurationError(
            f"a process of Ray failed again and again ({kind}); its log in /tmp/ray, or on the "
            "machine that it ran on, says why"
        ) from None


@contextmanager
def _place(out: str) -> Iterator[str]:
    """The folder to write to, which becomes ``out`` at the end of the block."""
    if not _is_local(out):
        yield out
        return
    path = Path(out).absolute()
    with make_unfinished_folder(path.parent) as folder:
        written = folder / path.name
        yield str(written)
        written.rename(path)


@contextmanager
def _connect(ray: Any) -> Iterator[None]:
    """The cluster of ``RAY_ADDRESS``, or one of this machine alone, for the block."""
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if os.environ.get(_ADDRESS):
        ray.init(**quiet)
    else:
        ray.init("local", include_dashboard=False, _node_ip_address=_LOOPBACK, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def _set_options(options: Any) -> None:
    """Set the options of this process for Ray Data."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    options.execution_options.preserve_order = True
    options.enable_progress_bars = False
    options.print_on_execution_start = False
    # the newer reader lists files in a task that takes a whole core, which the actors may hold
    options.use_datasource_v2 = False
