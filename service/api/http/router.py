"""The router: from a method and a path to a route."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.routing import compile_path
from valence.service.api.http.routes import Route
from valence.service.errors import MethodNotAllowed, UnknownPath


class Router:
    """Finds routes: a look-up for fixed paths, a regular expression for each template path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}
        self._templates: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = by_path.setdefault(route.path, {})
            if route.method in methods:
                raise ValueError(f"{route.method} {route.path} is in the route table twice")
            methods[route.method] = route
        for path, methods in by_path.items():
            if "{" in path:
                self._templates.append((compile_path(path)[0], methods))
            else:
                self._fixed[path] = methods

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route, and the parameters of the path.

        Raises :class:`UnknownPath` or :class:`MethodNotAllowed`. HEAD has the
        answer of GET; the server omits the body.
        """
        parameters: dict[str, str] = {}
        methods = self._fixed.get(path)
        if methods is None:
            for pattern, candidates in self._templates:
                match = pattern.fullmatch(path)
                if match:
                    methods, parameters = candidates, match.groupdict()
                    break
            else:
                raise UnknownPath("this path does not exist; /openapi.json lists the paths")
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = tuple(sorted(methods))
            raise MethodNotAllowed(f"use {' or '.join(allowed)} here", allowed=allowed)
        return route, parameters
