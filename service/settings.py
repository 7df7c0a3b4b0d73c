"""Every setting of the service, read once from ``VALENCE_*`` variables."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from valence.service.errors import ConfigurationError

PREFIX = "VALENCE_"


def _split(value: object) -> object:
    """A comma list as a tuple of its parts; an empty variable is no list."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(BaseModel):
    """The service's settings; each is the variable ``VALENCE_`` and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="Models to serve, as `name` or `name:version`, separated by commas. Empty: "
        "those of `sentiment,topic` that the model store holds.",
    )
    default_model: str = Field(
        default="",
        description="The model that answers who names none. Empty: the first one served.",
    )
    engine: str = Field(
        default="auto",
        pattern=r"^(auto|reference|cuda|native|native-[a-z0-9-]+)$",
        description="What computes: `auto` (native where it can run, else reference), `native`, "
        "`native-<path>` for one instruction set, `reference` (torch), or `cuda` (torch on a GPU).",
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest request body that is read."
    )
    max_texts: int = Field(default=1024, ge=1, description="Most texts in one request.")
    max_characters: int = Field(default=100_000, ge=1, description="Most characters in one text.")
    queue_items: int = Field(
        default=8192, ge=1, description="Most texts that wait for one model; beyond it: 429."
    )
    queue_tokens: int = Field(
        default=262_144, ge=1, description="Most tokens that wait for one model; beyond it: 429."
    )
    request_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60.0,
        description="Time within which a request is answered, or told 504; at most 60.",
    )
    body_memory_bytes: int = Field(
        default=64 * 1024 * 1024,
        description="Most bytes of bodies held at one time, over all requests; beyond it: 429.",
    )
    max_header_bytes: int = Field(
        default=32_768, ge=1024, description="Largest headers of a request; beyond it: 431."
    )
    max_headers: int = Field(
        default=128, ge=16, description="Most headers of a request; beyond it: 431."
    )
    header_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Time within which a request's headers arrive, else 408."
    )
    body_idle_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Longest pause within a body, or of a client that does not read its answer. A "
        "body that is read whole must also come at 1 KiB a second, after this time.",
    )
    keep_alive_seconds: float = Field(
        default=75.0, gt=0, description="How long a connection stays open between two requests."
    )
    max_connections: int = Field(
        default=768,
        ge=1,
        description="Most connections; beyond it: 503. Fewer if the process may open fewer files.",
    )
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=300,
        description="How long after SIGTERM requests are still taken, while `/readyz` says 503.",
    )
    hung_seconds: float = Field(
        default=5.0,
        gt=0,
        description="How long a batch may last before `/livez` says 503: the engine has hung.",
    )
    api_keys_file: str = Field(
        default="",
        description="File of API keys' hashes, made by `python -m valence.service.keys new NAME`; with "
        "one, requests bring a key, but for probes, pages and the API's document. Read again when "
        "it changes.",
    )
    allow_anonymous: bool = Field(
        default=False,
        description="Whether to serve beyond loopback without API keys; otherwise that is refused.",
    )
    key_texts_per_second: float = Field(
        default=0.0,
        ge=0,
        description="Texts a second of each API key whose line names no rate; beyond it: 429. "
        "0: no limit.",
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="Origins whose pages may ask, separated by commas, or `*`. Empty: none.",
    )
    stream_idle_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time after which a stream ends that brings no line, or whose answers nobody "
        "reads; a stream has no other deadline.",
    )
    cache_bytes: int = Field(
        default=0,
        ge=0,
        description="Memory for answers to texts that come again; 0 keeps none. Texts themselves "
        "are never kept.",
    )
    access_log: bool = Field(
        default=True, description="One JSON line a request on standard output, never its text."
    )

    @model_validator(mode="after")
    def _queue_holds_a_request(self) -> Self:
        if self.queue_items < self.max_texts:
            raise ValueError(
                f"queue_items ({self.queue_items}) must be at least max_texts ({self.max_texts}), "
                "or the largest request allowed could never be admitted"
            )
        if self.body_memory_bytes < self.max_body_bytes:
            raise ValueError(
                f"body_memory_bytes ({self.body_memory_bytes}) must be at least max_body_bytes "
                f"({self.max_body_bytes}), or the largest body allowed could never be read"
            )
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in ``environment``; raises :class:`ConfigurationError`."""
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX)
        }
        for name in given:
            if name not in cls.model_fields:
                raise ConfigurationError(_unknown(name, tuple(cls.model_fields)))
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = first["msg"].removeprefix("Value error, ")
            if not first["loc"]:
                raise ConfigurationError(message) from None
            name = str(first["loc"][0])
            raise ConfigurationError(
                f"{PREFIX}{name.upper()}={given[name]!r}: {message}; it is the setting for: "
                f"{cls.model_fields[name].description}"
            ) from None


def _unknown(name: str, known: tuple[str, ...]) -> str:
    variable = PREFIX + name.upper()
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"{variable} is no setting; did you mean {PREFIX}{near[0].upper()}?"
    return f"{variable} is no setting; there are {', '.join(PREFIX + k.upper() for k in known)}"
