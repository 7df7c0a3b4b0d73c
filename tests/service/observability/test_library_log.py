import io
import json
import logging
import os
import subprocess
import sys

from valence.service.observability.library_log import LibraryHandler
from valence.service.observability.log import Log

PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.INFO)
loud = logging.getLogger("uvicorn.error")
loud.addHandler(logging.StreamHandler())
loud.setLevel(logging.DEBUG)
loud.propagate = False
from valence.service.observability import library_log
from valence.service.observability.log import Log
library_log.install(Log(sys.stdout))
loud.info("not of use")
loud.warning("Invalid HTTP request received.")
logging.getLogger("later").error("of %s", "a user")
"""


def test_libraries_write_json_lines_from_warnings_on():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ,
        check=True,
        capture_output=True,
        text=True,
    )
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["event"] == "library"
    assert first["level"] == "warning"
    assert first["message"] == "Invalid HTTP request received."
    assert second["logger"] == "later"
    assert done.stderr == ""


def test_no_text_of_a_user_is_in_the_line_of_a_library():
    stream = io.StringIO()
    logger = logging.Logger("asyncio")
    logger.addHandler(LibraryHandler(Log(stream)))
    try:
        raise ValueError("private")
    except ValueError:
        logger.exception("Task failed: %s\nfuture: private", "private")
    line = json.loads(stream.getvalue())
    assert line["message"] == "Task failed: %s"
    assert line["type"] == "ValueError"
    assert line["location"].startswith("test_library_log.py:")
    assert "private" not in stream.getvalue()
