"""The log of the service: one JSON object per line, never the text of a user or a path.

The lines of requests are buffered and written together, at most a tenth of a second late: a write
for each line would take longer than making the line. For the same reason no logger, handler or
formatter of Python's logging is used.
"""

from __future__ import annotations

import json
import time
import traceback
from pathlib import Path
from typing import Protocol

from valence.service.observability.request_record import RequestRecord
from valence.service.pacing.debounce import Debounced

_WRITE_SECONDS = 0.1
_MAX_BUFFERED = 512


class Stream(Protocol):
    """Where the lines go.

    A service gives a writer that neither waits nor raises (``line_writer.py``).
    """

    def write(self, text: str, /) -> object:
        """Write whole lines."""

    def flush(self) -> object:
        """Let others see what was written."""


class Log:
    """Writes to ``stream``; with ``access=False`` it leaves out the lines of requests.

    Call :meth:`flush` before the process ends.
    """

    def __init__(self, stream: Stream, *, access: bool = True) -> None:
        self._stream = stream
        self._access = access
        self._buffered: list[str] = []
        self._flush_soon = Debounced(self.flush, seconds=_WRITE_SECONDS)
        self._second = 0
        self._prefix = ""

    def request(self, record: RequestRecord) -> None:
        """Add the line of one answered request, and write it within a tenth of a second."""
        if not self._access:
            return
        # Every string here is from the route table or the model store, or was checked to be of
        # [A-Za-z0-9._-], so the strings need no escaping. Formatting takes a fifth of the time of
        # json.dumps.
        trace = f',"trace_id":"{record.trace_id}"' if record.trace_id else ""
        key = f',"key":"{record.key}"' if record.key else ""
        level = "error" if record.status == 500 else "info"
        self._buffered.append(
            f'{{"time":"{self._time()}","level":"{level}","event":"request",'
            f'"method":"{record.method}","route":"{record.route}","status":{record.status},'
            f'"duration_ms":{record.seconds * 1e3:.3f},"request_id":"{record.request_id}",'
            f'"model":"{record.model}","texts":{record.texts},"tokens":{record.tokens}'
            f"{trace}{key}}}\n"
        )
        if len(self._buffered) < _MAX_BUFFERED:
            self._flush_soon.request()
        else:
            self.flush()

    def event(self, level: str, event: str, **fields: object) -> None:
        """Write a line about the service itself."""
        line = {"time": self._time(), "level": level, "event": event, **fields}
        self._buffered.append(json.dumps(line) + "\n")
        self.flush()

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Write a line about an unexpected error: its type and where it was raised.

        The message of the error is left out, because it may contain the text of a user.
        """
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
        self.event("error", event, type=type(error).__name__, location=where, **fields)

    def flush(self) -> None:
        """Write the buffered lines."""
        # Another thread may add a line meanwhile: the line goes to the new list.
        lines, self._buffered = self._buffered, []
        self._stream.write("".join(lines))
        self._stream.flush()

    def _time(self) -> str:
        """The time in UTC with milliseconds; the part without them is formatted once per second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int(now * 1e3) % 1000:03d}Z"
