"""Procedures as routes: a method of gRPC is the path of a POST request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from valence.service.api.grpc.statuses import refuse
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Handler, Operation, Route
from valence.service.errors import InvalidRequest, MalformedBody
from valence.service.keys.key import Scope

MEDIA_TYPE = "application/grpc"
INFERENCE = "inference.GRPCInferenceService"
_MAX_PARAMETERS = 32


def make_route(
    name: str,
    handler: Handler,
    summary: str,
    *,
    service: str = INFERENCE,
    scope: Scope = "classify",
    probe: bool = False,
) -> Route:
    """The route of the method ``name``; a ``probe`` needs no API key and has no line in the log."""
    return Route(
        method="POST",
        path=f"/{service}/{name}",
        handler=handler,
        operation=Operation(
            summary=summary, description=f"The method {name}.", tag="grpc", response=MEDIA_TYPE
        ),
        logged=not probe,
        open=probe,
        scope=scope,
        refuse=refuse,
    )


async def read_message(request: Request, kind: Any) -> Any:
    """The message of ``request``, of the class ``kind``; raises :class:`MalformedBody`."""
    content = await request.body.read()
    try:
        return kind.FromString(content)
    # protobuf has several implementations, each with an error of its own
    except Exception:
        raise MalformedBody(
            f"the message is not a {kind.DESCRIPTOR.name} of the protocol; make it with the "
            "classes of your client"
        ) from None


def write_message(message: Any, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """``message`` as an answer."""
    return Response(message.SerializeToString(), media_type=MEDIA_TYPE, headers=headers)


def read_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``parameters``, of whatever type; None for one without a value.

    Raises :class:`InvalidRequest` if there are more than any request has.
    """
    if len(parameters) > _MAX_PARAMETERS:
        raise InvalidRequest.for_field(
            "parameters", f"{len(parameters)} parameters, there may be {_MAX_PARAMETERS}"
        )
    read = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        read[name] = getattr(parameter, choice) if choice else None
    return read


def name_model(name: str, version: str) -> str:
    """``name``, or ``name:version`` if there is a version."""
    return f"{name}:{version}" if version else name
