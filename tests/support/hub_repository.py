"""A fake of the Hugging Face Hub with one repository, which is read and written."""

# ruff: noqa: N802 - the names of http.server

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote

from valence.service.files.atomic_write import replace_file

from tests.support.source_servers import Handler


def make_hub(folder: Path, repository: str, *, token: str = "") -> type[BaseHTTPRequestHandler]:
    """A Hub with one repository, whose files are those of ``folder``.

    It takes commits as the Hub does: large files first, by Git LFS, and a commit on another one
    than the last is refused.
    """
    lock = threading.Lock()

    class Hub(Handler):
        commits: ClassVar[list[str]] = []
        large: ClassVar[dict[str, bytes]] = {}

        def do_GET(self) -> None:
            with lock:
                self._read()

        def _read(self) -> None:
            if token and self.headers.get("Authorization") != f"Bearer {token}":
                self.answer(401, b"{}", X_Error_Code="RepoNotFound")
                return
            path, _, query = unquote(self.path).partition("?")
            api = f"/api/models/{repository}"
            if path in (api, f"{api}/revision/main"):
                self.answer(
                    200, json.dumps({"id": repository, "sha": self._find_commit()}).encode()
                )
            elif path.startswith(f"{api}/tree/main"):
                deep = parse_qs(query).get("recursive", [""])[0].lower() == "true"
                self._list(path.removeprefix(f"{api}/tree/main").strip("/"), deep=deep)
            elif path.startswith(f"/{repository}/resolve/main/"):
                self._resolve(path.removeprefix(f"/{repository}/resolve/main/"))
            else:
                self.answer(404, b"{}", X_Error_Code="RepoNotFound")

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            body, api = self.read_body(), f"/api/models/{repository}"
            if self.path == f"{api}/preupload/main":
                files = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith("safetensors") else "regular",
                        "shouldIgnore": False,
                    }
                    for file in json.loads(body)["files"]
                ]
                self.answer(200, json.dumps({"files": files}).encode())
            elif self.path == f"/{repository}.git/info/lfs/objects/batch":
                host = self.headers["Host"]
                objects = [
                    one | {"actions": {"upload": {"href": f"http://{host}/large/{one['oid']}"}}}
                    for one in json.loads(body)["objects"]
                ]
                self.answer(200, json.dumps({"transfer": "basic", "objects": objects}).encode())
            elif self.path == f"{api}/commit/main":
                with lock:
                    self._commit([json.loads(line) for line in body.splitlines()])
            elif self.path == "/api/validate-yaml":
                self.answer(200, b'{"warnings": [], "errors": []}')
            else:
                self._tell_paths(body)

        def do_PUT(self) -> None:
            self.large[self.path.rpartition("/")[2]] = self.read_body()
            self.answer(200)

        def _find_commit(self) -> str:
            return self.commits[-1] if self.commits else "0" * 40

        def _commit(self, items: list[dict[str, Any]]) -> None:
            header = items[0]["value"]
            if header.get("parentCommit", self._find_commit()) != self._find_commit():
                self.answer(412, b'{"error": "A commit has happened since."}')
                return
            for item in items[1:]:
                value = item["value"]
                path = folder / value["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                with replace_file(path) as unfinished:
                    unfinished.write_bytes(
                        self.large[value["oid"]]
                        if item["key"] == "lfsFile"
                        else base64.b64decode(value["content"])
                    )
            self.commits.append(hashlib.sha1(os.urandom(8)).hexdigest())
            url = f"http://{self.headers['Host']}/{repository}/commit/{self.commits[-1]}"
            made = {"commitOid": self.commits[-1], "commitUrl": url}
            self.answer(200, json.dumps(made).encode())

        def _tell_paths(self, body: bytes) -> None:
            asked = parse_qs(body.decode())["paths"]
            paths = [folder / path for path in asked]
            found = [self._describe(path) for path in paths if path.exists()]
            self.answer(200, json.dumps(found).encode(), Content_Type="application/json")

        def _list(self, path: str, *, deep: bool) -> None:
            if not (folder / path).is_dir():
                self.answer(404, b"{}", X_Error_Code="EntryNotFound")
                return
            paths = (folder / path).rglob("*") if deep else (folder / path).iterdir()
            found = [self._describe(one) for one in sorted(paths)]
            self.answer(200, json.dumps(found).encode(), Content_Type="application/json")

        def _describe(self, path: Path) -> dict[str, Any]:
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                return {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
            digest = hashlib.sha1(path.read_bytes()).hexdigest()
            return {"type": "file", "path": name, "oid": digest, "size": path.stat().st_size}

        def _resolve(self, path: str) -> None:
            if not (folder / path).is_file():
                self.answer(404, b"", X_Error_Code="EntryNotFound")
                return
            content = (folder / path).read_bytes()
            headers = {"ETag": hashlib.sha1(content).hexdigest(), "X_Repo_Commit": "0" * 40}
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if asked:
                first, last = int(asked[1]), int(asked[2] or len(content) - 1)
                headers["Content_Range"] = f"bytes {first}-{last}/{len(content)}"
                self.answer(206, content[first : last + 1], **headers)
            else:
                self.answer(200, content, **headers)

    return Hub
