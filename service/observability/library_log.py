"""What libraries log in a worker, as lines of the service's own log.

The handlers of BentoML and uvicorn write plain text, and wait for whoever reads it. These lines
wait for nobody, and are JSON like all others.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from valence.service.observability.log import Log

_MAX_CHARACTERS = 200
# what these tell at the level below is of no use to an operator
_LIBRARIES = ("bentoml", "uvicorn", "uvicorn.error", "circus")


def install(log: Log) -> None:
    """Have all loggers of Python's logging write to ``log``, from warnings on."""
    root = logging.getLogger()
    known = [logging.getLogger(name) for name in (*root.manager.loggerDict, *_LIBRARIES)]
    for logger in known:
        logger.handlers.clear()
        logger.propagate = True
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)
    root.handlers[:] = [LibraryHandler(log)]
    root.setLevel(logging.WARNING)


class LibraryHandler(logging.Handler):
    """Writes the template of a message, and the type and place of its error.

    The arguments of the template and the message of the error are left out, because they may
    contain the text of a user.
    """

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        template = str(record.msg) if isinstance(record.msg, str) else type(record.msg).__name__
        fields: dict[str, object] = {
            "logger": record.name,
            # asyncio adds lines with the arguments of what failed
            "message": template.partition("\n")[0][:_MAX_CHARACTERS],
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            fields["type"] = type(error).__name__
            if frames:
                fields["location"] = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        self._log.event(record.levelname.lower(), "library", **fields)
