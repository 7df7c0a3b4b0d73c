"""The service's log: one JSON object a line, never a user's text, name of a key or path.

The lines of requests are gathered and written together, at most a tenth of a second late: a write
for each would cost more than making it. There is no logger, handler or formatter between.
"""

from __future__ import annotations

import json
import time
import traceback
from pathlib import Path
from typing import TextIO

from valence.service.observability.request_record import RequestRecord
from valence.service.pacing.debounce import Debounced

_WRITE_SECONDS = 0.1
_MOST_GATHERED = 512


class Log:
    """Writes to ``stream``; ``access=False`` leaves the line of each request out.

    Whoever ends the process calls :meth:`flush` first.
    """

    def __init__(self, stream: TextIO, *, access: bool = True) -> None:
        self._stream = stream
        self._access = access
        self._gathered: list[str] = []
        self._flush_soon = Debounced(self.flush, seconds=_WRITE_SECONDS)
        self._second = 0
        self._prefix = ""

    def request(self, record: RequestRecord) -> None:
        """Add the line of one answered request."""
        if not self._access:
            return
        # Every string here is from the route table or the model store, or was checked to be of
        # [A-Za-z0-9._-], so the strings need no escaping. Formatting takes a fifth of the time of
        # json.dumps.
        trace = f',"trace_id":"{record.trace_id}"' if record.trace_id else ""
        key = f',"key":"{record.key}"' if record.key else ""
        level = "error" if record.status == 500 else "info"
        self._gathered.append(
            f'{{"time":"{self._time()}","level":"{level}","event":"request",'
            f'"method":"{record.method}","route":"{record.route}","status":{record.status},'
            f'"duration_ms":{record.seconds * 1e3:.3f},"request_id":"{record.request_id}",'
            f'"model":"{record.model}","texts":{record.texts},"tokens":{record.tokens}'
            f"{trace}{key}}}\n"
        )
        if len(self._gathered) < _MOST_GATHERED:
            self._flush_soon.request()
        else:
            self.flush()

    def event(self, level: str, event: str, **fields: object) -> None:
        """A line about the service itself."""
        line = {"time": self._time(), "level": level, "event": event, **fields}
        self._gathered.append(json.dumps(line) + "\n")
        self.flush()

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """A line about an unexpected error: its type and where it was raised.

        Not its message, which may hold what a user wrote.
        """
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
        self.event("error", event, type=type(error).__name__, location=where, **fields)

    def flush(self) -> None:
        """Write what was gathered."""
        # another thread may add a line meanwhile: it finds the new list
        lines, self._gathered = self._gathered, []
        self._stream.write("".join(lines))
        self._stream.flush()

    def _time(self) -> str:
        """UTC with milliseconds; the part down to the second is formatted once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int(now * 1e3) % 1000:03d}Z"
