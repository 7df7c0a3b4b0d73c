"""Calls of gRPC to an application under test."""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc
import pytest
from valence.service.api.grpc.messages import MESSAGES
from valence.service.api.grpc.server import CallServer

SERVICE = "inference.GRPCInferenceService"


class Calls(NamedTuple):
    """A channel to a server, and what is behind it."""

    served: Any
    server: CallServer
    channel: grpc.aio.Channel

    async def call(self, name: str, message: Any = b"", *, service: str = SERVICE, **options: Any):
        """Return the bytes of the answer, and its metadata."""
        content = message if isinstance(message, bytes) else message.SerializeToString()
        calling = self.channel.unary_unary(f"/{service}/{name}")(content, **options)
        return await calling, dict(await calling.trailing_metadata())

    async def infer(self, texts: list[str], **options: Any):
        """Return the answer to ``texts``, and its metadata."""
        fields = {name: options.pop(name) for name in ("model_name", "raw") if name in options}
        content, metadata = await self.call("ModelInfer", infer_request(texts, **fields), **options)
        return MESSAGES["ModelInferResponse"].FromString(content), metadata

    async def refused(self, name: str, message: Any = b"", **options: Any) -> grpc.aio.AioRpcError:
        """Return the error of a call that must fail."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(name, message, **options)
        return caught.value


def infer_request(
    texts: list[str], *, model_name: str = "sentiment", raw: bool = False, **fields: Any
) -> Any:
    """Return a request; ``raw`` has the texts as one tensor of bytes."""
    message = MESSAGES["ModelInferRequest"](model_name=model_name, **fields)
    tensor = message.inputs.add(name="text", datatype="BYTES", shape=[len(texts)])
    encoded = [text.encode() for text in texts]
    if raw:
        message.raw_input_contents.append(
            b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
        )
    else:
        tensor.contents.bytes_contents.extend(encoded)
    return message
