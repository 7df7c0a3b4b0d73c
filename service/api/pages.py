"""Pages for browsers: playground, ``/models``, ``/monitor``, ``/label``, documentation ``/docs``.

All files come from this server. Swagger UI draws the documentation. Its files come with BentoML and
are read from the installed package, so this repository does not have a copy.
"""

from __future__ import annotations

import functools
import importlib.util
import string
from dataclasses import dataclass
from pathlib import Path

from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.errors import UnknownPath

_WEB = Path(__file__).parent / "web"
_SWAGGER = Path("_internal", "server", "static_content")
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
# Scripts come from this server, requests go to this server, and other sites must not frame the
# pages. Inline styles and data: URLs are for Swagger UI.
_POLICY = (
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_CURRENT = ' aria-current="page"'
_HEADERS = (
    (b"cache-control", b"no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True)
class _Page:
    """A page: ``content`` is the file of what other pages do not have, ``name`` is its word in the
    menu, and ``files`` are its styles and scripts in the order in which they are loaded.
    """

    path: str
    content: str
    name: str
    heading: str
    title: str
    files: tuple[str, ...]
    summary: str
    description: str


PAGES = (
    _Page(
        "/",
        "playground.html",
        name="Playground",
        heading="Valence",
        title="Valence playground",
        files=("base.css", "playground.css", "base.js", "playground.js"),
        summary="The playground",
        description="A page that classifies a text, colours its words by their contribution to the "
        "label or by the activation of a unit, compares two versions, and shows the curl command.",
    ),
    _Page(
        "/models",
        "models.html",
        name="Models",
        heading="Models",
        title="Models of Valence",
        files=("base.css", "models.css", "base.js", "models.js"),
        summary="The models",
        description="A page with the versions in memory, their aliases, figures, times and "
        "training data.",
    ),
    _Page(
        "/monitor",
        "monitor.html",
        name="Monitor",
        heading="Monitor",
        title="Monitor of Valence",
        files=("base.css", "monitor.css", "base.js", "monitor.js"),
        summary="The monitor",
        description="A page that shows how far the answers are from the training, and the accuracy "
        "that is estimated from them. It draws what GET /v1/monitor answers.",
    ),
    _Page(
        "/label",
        "label.html",
        name="Label",
        heading="Labelling",
        title="Labelling with Valence",
        files=("base.css", "label.css", "base.js", "csv.js", "label.js"),
        summary="The labelling page",
        description="A page that gives the rows of a CSV file labels, by keys or on a phone, and "
        "saves them as CSV. The file stays in the browser. It reads GET /v1/sample too.",
    ),
    _Page(
        "/docs",
        "docs.html",
        name="API",
        heading="API",
        title="Valence API",
        files=("swagger-ui.css", "docs.css", "swagger-ui-bundle.js", "docs.js"),
        summary="The documentation of this API",
        description="Swagger UI with all files from this server.",
    ),
)
_CONTENTS = {page.content: page for page in PAGES}
_ASSETS = tuple(dict.fromkeys(name for page in PAGES for name in page.files))


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
        if name in _CONTENTS:
            content = _fill_frame(_CONTENTS[name], content.decode("utf-8"))
    except FileNotFoundError:
        raise UnknownPath(
            "the files of the pages are not installed; /openapi.json has the whole contract"
        ) from None
    return Response(
        content,
        media_type=f"{_MEDIA_TYPES[path.suffix]}; charset=utf-8",
        headers=((b"content-security-policy", _POLICY),),
    )


def _fill_frame(page: _Page, content: str) -> bytes:
    """The whole ``page``: the head and the menu of all pages around its own ``content``."""
    frame = string.Template((_WEB / "page.html").read_text("utf-8"))
    return frame.substitute(
        title=page.title,
        heading=page.heading,
        files="\n".join(_load(name) for name in page.files),
        links=" ".join(
            f'<a href="{one.path[1:] or "./"}"{_CURRENT if one is page else ""}>{one.name}</a>'
            for one in PAGES
        ),
        content=content,
    ).encode()


def _load(name: str) -> str:
    """The element of a head that loads the file ``name``."""
    if name.endswith(".css"):
        return f'<link rel="stylesheet" href="assets/{name}">'
    return f'<script src="assets/{name}" defer></script>'


def _swagger_folder() -> Path:
    # find the package without an import, because the API and its tests work without BentoML
    spec = importlib.util.find_spec("bentoml")
    origin = spec.origin if spec else None
    return Path(origin).parent / _SWAGGER if origin else _WEB


ROUTES = (
    *(
        _file_route(page.path, page.content, summary=page.summary, description=page.description)
        for page in PAGES
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
