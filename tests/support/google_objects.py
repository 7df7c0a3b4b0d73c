"""A fake of Google Cloud Storage: the JSON API of one bucket, as far as gcsfs asks for it."""

# ruff: noqa: N802 - the names of http.server

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from valence.service.files.atomic_write import replace_file

from tests.support.source_servers import Handler


def make_google(folder: Path, *, bucket: str, prefix: str) -> type[BaseHTTPRequestHandler]:
    """A bucket whose objects below ``prefix`` are the files of ``folder``.

    The generation of an object is the time of its file. A write on the condition of a generation
    is refused if the object has another one.
    """
    objects, lock = f"/storage/v1/b/{bucket}/o", threading.Lock()
    unfinished: dict[str, tuple[str, bytes]] = {}

    class Google(Handler):
        def do_GET(self) -> None:
            with lock:
                self._read()

        def _read(self) -> None:
            url = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(url.query).items()}
            place = url.path.removeprefix("/download")
            if place == objects:
                self._list(asked.get("prefix", ""), asked.get("delimiter", ""))
                return
            path = self._find(unquote(place.removeprefix(f"{objects}/")))
            if path is None or not path.is_file():
                self.answer(404, b'{"error": {"code": 404, "message": "none"}}')
            elif asked.get("alt") == "media":
                self._send(path.read_bytes())
            else:
                self.answer(200, json.dumps(self._describe(path)).encode())

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(url.query).items()}
            body = self.read_body()
            assert url.path == f"/upload{objects}", url.path
            if "upload_id" in asked:
                self._continue(asked["upload_id"], body)
                return
            if asked["uploadType"] == "resumable":
                name = json.loads(body)["name"]
                key = str(len(unfinished))
                unfinished[key] = (name, b"")
                place = f"http://{self.headers['Host']}/upload{objects}?upload_id={key}"
                self.answer(200, Location=place)
                return
            if asked["uploadType"] == "media":
                name, content = asked["name"], body
            else:
                # gcsfs separates its two parts by this line
                _, head, content, _ = body.split(b"--==0==")
                name = json.loads(head.partition(b"\n\n")[2])["name"]
                content = content.partition(b"\n\n")[2].removesuffix(b"\n")
            self._write(name, content, asked.get("ifGenerationMatch"))

        def _continue(self, key: str, part: bytes) -> None:
            name, before = unfinished[key]
            content = before + part
            unfinished[key] = (name, content)
            if self.headers["Content-Range"].endswith("/*"):
                self.answer(308, Range=f"bytes=0-{len(content) - 1}")
            else:
                self._write(name, content, None)

        def _write(self, name: str, content: bytes, generation: str | None) -> None:
            path = self._find(name)
            assert path is not None, name
            with lock:
                held = self._describe(path)["generation"] if path.is_file() else "0"
                if generation not in (None, held):
                    self.answer(412, b'{"error": {"code": 412, "message": "conditionNotMet"}}')
                    return
                path.parent.mkdir(parents=True, exist_ok=True)
                with replace_file(path) as unfinished:
                    unfinished.write_bytes(content)
                self.answer(200, json.dumps(self._describe(path)).encode())

        def _list(self, start: str, delimiter: str) -> None:
            names = sorted(
                f"{prefix}/{path.relative_to(folder).as_posix()}"
                for path in folder.rglob("*")
                if path.is_file()
            )
            items, folders = [], set()
            for name in names:
                below = name.removeprefix(start)
                if not name.startswith(start):
                    continue
                if delimiter and delimiter in below:
                    folders.add(f"{start}{below.partition(delimiter)[0]}{delimiter}")
                else:
                    path = self._find(name)
                    assert path is not None
                    items.append(self._describe(path))
            found = {"kind": "storage#objects", "items": items, "prefixes": sorted(folders)}
            self.answer(200, json.dumps(found).encode())

        def _send(self, content: bytes) -> None:
            asked = self.headers.get("Range")
            if not asked:
                self.answer(200, content)
                return
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or len(content) - 1), len(content) - 1)
            part = content[begin : end + 1]
            self.answer(206, part, Content_Range=f"bytes {begin}-{end}/{len(content)}")

        def _find(self, name: str) -> Path | None:
            below = name.removeprefix(f"{prefix}/")
            return folder / below if below != name else None

        def _describe(self, path: Path) -> dict[str, Any]:
            content, state = path.read_bytes(), path.stat()
            return {
                "kind": "storage#object",
                "bucket": bucket,
                "name": f"{prefix}/{path.relative_to(folder).as_posix()}",
                "size": str(len(content)),
                "generation": str(state.st_mtime_ns),
                "metageneration": "1",
                "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
                "updated": "2026-01-01T00:00:00.000Z",
                "timeCreated": "2026-01-01T00:00:00.000Z",
            }

    return Google
