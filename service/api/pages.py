"""Pages for browsers: playground, ``/models``, ``/monitor``, ``/label``, documentation ``/docs``.

All files come from this server. Swagger UI draws the documentation. Its files come with BentoML and
are read from the installed package, so this repository does not have a copy.
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
_ASSETS = (
    # of every page but the documentation
    "base.css",
    "base.js",
    "playground.css",
    "playground.js",
    "models.css",
    "models.js",
    "monitor.css",
    "monitor.js",
    "label.css",
    "label.js",
    "csv.js",
    "docs.js",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
)
# Scripts come from this server, requests go to this server, and other sites must not frame the
# pages. Inline styles and data: URLs are for Swagger UI.
_POLICY = (
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"cache-control", b"no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def _file_route(path: str, name: str, *, summary: str, description: str) -> Route:
    async def handler(context: Context, request: Request) -> Outcome:  # noqa: ARG001
        return Outcome(_read_file(name))

    return Route(
        method="GET",
        path=path,
        handler=handler,
        # browsers load a page without an API key; the requests of the page need one
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
def _read_file(name: str) -> Response:
    path = (_swagger_folder() if name.startswith("swagger") else _WEB) / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UnknownPath(
            "the files of the pages are not installed; /openapi.json has the whole contract"
        ) from None
    return Response(
        content,
        media_type=f"{_MEDIA_TYPES[path.suffix]}; charset=utf-8",
        headers=((b"content-security-policy", _POLICY),),
    )


def _swagger_folder() -> Path:
    # find the package without an import, because the API and its tests work without BentoML
    spec = importlib.util.find_spec("bentoml")
    origin = spec.origin if spec else None
    return Path(origin).parent / _SWAGGER if origin else _WEB


ROUTES = (
    _file_route(
        "/",
        "playground.html",
        summary="The playground",
        description="A page that classifies a text, colours its words by their contribution to the "
        "label or by the activation of a unit, compares two versions, and shows the curl command.",
    ),
    _file_route(
        "/models",
        "models.html",
        summary="The models",
        description="A page with the versions in memory, their aliases, figures, times and "
        "training data.",
    ),
    _file_route(
        "/monitor",
        "monitor.html",
        summary="The monitor",
        description="A page that shows how far the answers are from the training, and the accuracy "
        "that is estimated from them. It draws what GET /v1/monitor answers.",
    ),
    _file_route(
        "/label",
        "label.html",
        summary="The labelling page",
        description="A page that gives the rows of a CSV file labels, by keys or on a phone, and "
        "saves them as CSV. The file stays in the browser. It reads GET /v1/sample too.",
    ),
    _file_route(
        "/docs",
        "docs.html",
        summary="The documentation of this API",
        description="Swagger UI with all files from this server.",
    ),
    *(
        _file_route(
            f"/assets/{name}",
            name,
            summary=f"The file {name}",
            description="A style or a script of the pages.",
        )
        for name in _ASSETS
    ),
)
