"""What a browser shows: the playground at ``/`` and the API's documentation at ``/docs``.

Everything comes from this server. The documentation is drawn by Swagger UI, whose files BentoML
ships; they are read from where it is installed, so nothing of it lies in this repository.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.errors import UnknownPath

_WEB = Path(__file__).parent / "web"
_SWAGGER = Path("_internal", "server", "static_content")
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_ASSETS = ("playground.css", "playground.js", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js")
# Scripts and requests only from and to this server, and no page of another may frame these.
# Swagger UI sets styles on elements and draws from data: URLs; the playground colours words.
_POLICY = (
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


_HEADERS = (
    (b"cache-control", b"no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def _page(path: str, name: str, *, summary: str, description: str) -> Route:
    async def handler(context: Context, request: Request) -> Outcome:  # noqa: ARG001
        return Outcome(_file(name))

    return Route(
        method="GET",
        path=path,
        handler=handler,
        # a browser brings no key for a page; what the page asks for needs one
        open=True,
        headers=_HEADERS,
        operation=Operation(
            summary=summary,
            description=description,
            tag="pages",
            response=_MEDIA_TYPES[Path(name).suffix],
            errors=(UnknownPath,),
        ),
    )


@functools.cache
def _file(name: str) -> Response:
    path = (_swagger() if name.startswith("swagger") else _WEB) / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UnknownPath(
            "this installation lacks the files of the pages; /openapi.json has the whole contract"
        ) from None
    return Response(
        content,
        media_type=f"{_MEDIA_TYPES[path.suffix]}; charset=utf-8",
        headers=((b"content-security-policy", _POLICY),),
    )


def _swagger() -> Path:
    # found, not imported: the API works, and is tested, without BentoML
    spec = importlib.util.find_spec("bentoml")
    origin = spec.origin if spec else None
    return Path(origin).parent / _SWAGGER if origin else _WEB


ROUTES = (
    _page(
        "/",
        "playground.html",
        summary="The playground",
        description="A page that classifies what is typed, colours its words by what moved the "
        "label or by a unit of the network, and shows the curl command.",
    ),
    _page(
        "/docs",
        "docs.html",
        summary="This document, to read",
        description="Swagger UI, without a request to another server.",
    ),
    *(
        _page(
            f"/assets/{name}",
            name,
            summary=f"{name} of the pages",
            description="A style or a script that the pages load.",
        )
        for name in _ASSETS
    ),
)
