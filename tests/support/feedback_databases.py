"""Databases of feedback for tests: a file of SQLite, and a PostgreSQL server of the test's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from valence.service.feedback.store import Store

KEY = "00" * 32
"""The key of the ids; the examples of the API were made with it."""


def feedback_settings(path: Path, **more: Any) -> dict[str, Any]:
    """The settings of a service that stores feedback in the file ``path``, which is made ready."""
    prepare(str(path))
    return {"feedback_database": str(path), "feedback_key": KEY, **more}


def prepare(address: str) -> None:
    """Make the tables of a database."""
    store = Store.open(address)
    store.prepare()
    store.close()


def _find_program(name: str) -> str:
    folders = (*os.environ["PATH"].split(":"), *map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    found = shutil.which(name, path=":".join(folders))
    if found is None:
        pytest.skip(f"{name} is not installed: `apt-get install postgresql`")
    return found


@contextmanager
def serving_postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server, which listens on a socket in a folder of its own alone.

    The server refuses to run as root, so root runs it as nobody.
    """
    pytest.importorskip("psycopg", reason="`pip install 'valence[feedback]'`")
    initdb, control = _find_program("initdb"), _find_program("pg_ctl")
    # the path of a socket may have about a hundred characters
    with tempfile.TemporaryDirectory(prefix="valence-pg-", dir="/tmp") as name:
        folder, more = Path(name), {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            more = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        data = str(folder / "data")

        def call(*arguments: str) -> None:
            subprocess.run(
                arguments, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=300, **more
            )

        call(initdb, "--pgdata", data, "--auth=trust", "--username=valence", "--encoding=UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
        call(control, "start", "-D", data, "-w", "-l", str(folder / "log"), "-o", options)
        try:
            yield f"postgresql://valence@/postgres?host={folder}"
        finally:
            call(control, "stop", "-D", data, "-m", "fast", "-w")
