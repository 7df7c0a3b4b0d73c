"""All settings of the service. They are read once, from ``VALENCE_*`` variables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from valence.service.errors import ConfigurationError
from valence.service.machine import cores
from valence.service.pacing.token_bucket import MAX_RATE, MIN_RATE

PREFIX = "VALENCE_"
# whose values no message repeats
_SECRETS = ("feedback_database", "feedback_key")
_SHARE = re.compile(r"([a-z0-9][a-z0-9_-]{0,62}):([0-9]{1,9}(?:\.[0-9]{1,6})?)")


def _split(value: object) -> object:
    """The parts of a comma-separated string as a tuple, without the empty parts."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _read_split(value: object) -> object:
    """The weights of aliases by model in ``NAME=ALIAS:WEIGHT,ALIAS:WEIGHT;NAME=...``."""
    if not isinstance(value, str):
        return value
    splits: dict[str, dict[str, float]] = {}
    for part in filter(None, map(str.strip, value.split(";"))):
        name, _, shares = part.partition("=")
        if name in splits:
            raise ValueError(f"{name} is given twice")
        splits[name] = {}
        for share in shares.split(","):
            match = _SHARE.fullmatch(share.strip())
            if match is None or not float(match[2]):
                raise ValueError(
                    f"{part!r} is not NAME=ALIAS:WEIGHT,ALIAS:WEIGHT, with weights above 0"
                )
            if match[1] in splits[name]:
                raise ValueError(f"{name} has the alias {match[1]} twice")
            splits[name][match[1]] = float(match[2])
    return tuple((name, tuple(weights.items())) for name, weights in splits.items())


def _require_key(key: str) -> str:
    """Raise ``ValueError`` unless ``key`` is empty or 64 hexadecimal digits."""
    if key and not re.fullmatch("[0-9a-f]{64}", key):
        raise ValueError("not 64 of the digits 0-9 and a-f; `openssl rand -hex 32` makes a key")
    return key


def _count(value: object) -> object:
    """The number of processes that ``auto`` stands for, and any other number as it is."""
    return cores.parse_processes(value) if isinstance(value, str) else value


def _require_rate(rate: float) -> float:
    """Raise ``ValueError`` unless ``rate`` is a rate that a limit can have, or 0 for no limit."""
    if rate and not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"a rate is from {MIN_RATE:f} to {MAX_RATE:.0f}, or 0 for no limit")
    return rate


class ShadowRule(BaseModel):
    """A model whose challenger scores a share of its texts too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    challenger: str = Field(min_length=1)
    """An alias of the model."""
    share: float = Field(gt=0, le=1)
    """Of the requests."""

    @classmethod
    def parse(cls, text: str) -> ShadowRule:
        """The rule that ``text`` means, such as ``sentiment=challenger:0.1``.

        Raises ``ValueError``.
        """
        model, mark, rest = text.partition("=")
        challenger, other_mark, share = rest.rpartition(":")
        try:
            if mark and other_mark:
                return cls(model=model.strip(), challenger=challenger.strip(), share=float(share))
        except ValueError:
            pass
        raise ValueError(
            f"{text!r} is not MODEL=ALIAS:SHARE, such as sentiment=challenger:0.1, with a share "
            "above 0 and up to 1"
        )


def _parse_shadows(value: object) -> object:
    """The shadow rules of a comma-separated string; raises ``ValueError``."""
    if not isinstance(value, str):
        return value
    rules = [ShadowRule.parse(part.strip()) for part in value.split(",") if part.strip()]
    names = [rule.model for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} has two challengers; give it one")
    return tuple(rules)


class Settings(BaseModel):
    """The settings of the service; the variable is ``VALENCE_`` and the name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="The models to serve, as `name`, `name:version` or `name@alias`, separated by "
        "commas. Empty: `sentiment` and `topic`, if the model store has them.",
    )
    default_model: str = Field(
        default="",
        description="The model for requests that do not name a model. Empty: the first model in "
        "`VALENCE_MODELS`.",
    )
    model_source: str = Field(
        default="",
        description="Where models come from: a folder (a read-only volume), `s3://BUCKET/PATH`, "
        "`gs://BUCKET/PATH`, `hf://OWNER/NAME` or `oci://HOST/PATH`, laid out as a model store. "
        "What the models to serve mean there is copied, verified, and followed. Empty: the model "
        "store on this disk. All but a folder need the extra `valence[store]`.",
    )
    model_cache: str = Field(
        default="",
        description="Folder of the copies of `VALENCE_MODEL_SOURCE`. Empty: the folder `sources` "
        "in `BENTOML_HOME`.",
    )
    model_source_seconds: float = Field(
        default=3.0,
        ge=0.05,
        le=3600,
        description="Time between two looks at `VALENCE_MODEL_SOURCE`.",
    )
    model_max_bytes: int = Field(
        default=2**30,
        ge=1024,
        description="Maximum size of one version of a model at `VALENCE_MODEL_SOURCE`. A larger "
        "version is refused before it is downloaded.",
    )
    engine: str = Field(
        default="auto",
        pattern=r"^(auto|reference|cuda|native|native-[a-z0-9-]+)$",
        description="The engine that runs the models: `auto` (native if the CPU supports it, "
        "otherwise reference), `native`, `native-<path>` for one instruction set, `reference` "
        "(torch), or `cuda` (torch on a GPU).",
    )
    workers: Annotated[int, BeforeValidator(_count)] = Field(
        default=1,
        le=256,
        description="The number of workers: processes with models of their own that answer on one "
        "port. `auto`: one on each core that the service may use. Limits of connections, memory "
        "and queues are those of each worker.",
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        description="Maximum size of a request body. A larger body gets status 413.",
    )
    max_texts: int = Field(
        default=1024, ge=1, description="Maximum number of texts in one request."
    )
    max_characters: int = Field(
        default=100_000, ge=1, description="Maximum number of characters in one text."
    )
    max_windows: int = Field(
        default=8192,
        ge=1,
        description="Maximum number of windows and sentences of the texts of one request, with "
        "truncation `window` or granularity `sentence`. The first window of a text does not "
        "count. A request with more gets status 422.",
    )
    max_explained_tokens: int = Field(
        default=65_536,
        ge=1,
        description="Maximum number of tokens of the texts of one request with `explain`, those "
        "that the model does not read included. A request with more gets status 422.",
    )
    max_answer_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=65_536,
        description="Maximum size of an answer, estimated before the texts are scored. A request "
        "with a larger answer gets status 422.",
    )
    split: Annotated[
        tuple[tuple[str, tuple[tuple[str, float], ...]], ...], BeforeValidator(_read_split)
    ] = Field(
        default=(),
        description="Shares of the requests for a model that its aliases answer, such as "
        "`sentiment=champion:95,challenger:5`; several models are separated by semicolons. "
        "Requests with the same header `X-Split-Key` have the same alias. Requests that name an "
        "alias or a version, as `name@alias`, are not split. Empty: no request is split.",
    )
    reload: Literal["watch", "off"] = Field(
        default="watch",
        description="`watch`: the service follows the aliases of its models, and the champion of "
        "each model that is named without a version, and serves what they name without a restart. "
        "`off`: it serves the versions of its start until a restart, or until "
        "`POST /v1/models/{name}/reload`.",
    )
    reload_seconds: float = Field(
        default=2.0,
        ge=0.05,
        le=3600,
        description="Time between two looks at the aliases in the model store.",
    )
    reload_slowdown: float = Field(
        default=2.0,
        ge=1.0,
        description="How many times as long as the version before a version may compute for a "
        "token. A slower version is not served without a restart.",
    )
    resident_mib: int = Field(
        default=1024,
        ge=1,
        description="Memory for the versions of all models of a process, in MiB, told from the "
        "shapes of the models. To load a version beside them, the versions that no alias names "
        "leave, the longest unused one first. If that is not enough, the version is refused. What "
        "a bare name means is always loaded.",
    )
    shadow: Annotated[tuple[ShadowRule, ...], BeforeValidator(_parse_shadows)] = Field(
        default=(),
        description="Models whose challenger scores a share of the requests too, after their "
        "answer, as `model=alias:share` separated by commas, such as `sentiment=challenger:0.1`. "
        "No answer changes; the metrics show how the two versions differ. Empty: none.",
    )
    safe_labels: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="Labels that `POST /api/v1/text/contents` never reports as detections, such as "
        "`benign`, separated by commas. They hold for all models.",
    )
    queue_items: int = Field(
        default=8192,
        ge=1,
        description="Maximum number of texts in the queue of one model. When the queue is full, "
        "requests get status 429.",
    )
    queue_tokens: int = Field(
        default=262_144,
        ge=1,
        description="Maximum number of tokens in the queue of one model. When the queue is full, "
        "requests get status 429.",
    )
    request_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60.0,
        description="Deadline of a request. A request that has no answer by then gets status 504. "
        "At most 60.",
    )
    body_memory_bytes: int = Field(
        default=64 * 1024 * 1024,
        description="Maximum memory for the bodies, texts and large answers of all requests "
        "together. When the memory is used up, requests get status 429.",
    )
    max_header_bytes: int = Field(
        default=32_768,
        ge=1024,
        description="Maximum size of the headers of a request. Larger headers get status 431.",
    )
    max_headers: int = Field(
        default=128,
        ge=16,
        description="Maximum number of headers of a request. More headers get status 431.",
    )
    header_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Time limit for the headers of a request. Headers that come later get status "
        "408.",
    )
    body_idle_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Maximum pause of a client while it sends a body or reads an answer. After "
        "this time a body must also have arrived at 1 KiB per second or faster. A stream has its "
        "own rule, `VALENCE_STREAM_IDLE_SECONDS`.",
    )
    keep_alive_seconds: float = Field(
        default=75.0,
        gt=0,
        description="Time that a connection stays open between two requests.",
    )
    max_connections: int = Field(
        default=768,
        ge=1,
        description="Maximum number of connections. Further connections get status 503. The "
        "maximum is smaller if the process may open only few files.",
    )
    admin_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="A second port, at the same address, that answers only `/livez`, `/healthz`, "
        "`/readyz` and `/metrics`, over HTTP without TLS. It answers even if all "
        "connections of the other port are taken. 0: none.",
    )
    grpc_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="A port, at the same address, for the Open Inference Protocol over gRPC, "
        "without TLS. Needs the extra `grpc`. 0: none.",
    )
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=300,
        description="Time after SIGTERM in which the service still accepts requests, while "
        "`/readyz` answers 503.",
    )
    grace_seconds: float = Field(
        default=65.0,
        gt=0,
        description="Time after SIGTERM, and after `VALENCE_DRAIN_SECONDS`, in which the service "
        "answers the requests that it has admitted. A worker that has not ended by then is killed, "
        "and the service ends with status 1.",
    )
    hung_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Time after which a batch that is still running counts as hung. `/livez` then "
        "answers 503. A worker that does nothing at all for this time is killed and replaced.",
    )
    api_keys_file: str = Field(
        default="",
        description="File with the hashes of API keys; `valence keys new NAME` makes a line of "
        "this file. If this is set, requests need a key, except requests to the probes, the pages "
        "and `/openapi.json`. The service reads the file again when the file changes.",
    )
    allow_anonymous: bool = Field(
        default=False,
        description="Allow requests without API keys on an address other than loopback. Without "
        "this permission and without API keys the service does not start on such an address.",
    )
    key_texts_per_second: Annotated[float, AfterValidator(_require_rate)] = Field(
        default=0.0,
        description="Rate limit, in texts per second, for each API key without a rate of its own, "
        "in each replica. Above the limit requests get status 429. 0: no limit.",
    )
    key_tokens_per_second: Annotated[float, AfterValidator(_require_rate)] = Field(
        default=0.0,
        description="Rate limit, in tokens per second, for each API key without a rate of its own, "
        "in each replica. Tokens count as often as the model reads them. Above the limit requests "
        "get status 429. 0: no limit.",
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="Origins whose web pages may send requests (CORS), separated by commas, or "
        "`*`. Empty: none.",
    )
    stream_idle_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time after which the service ends a stream whose client sends nothing, or "
        "does not read its answers. A stream has no other deadline.",
    )
    monitor: bool = Field(
        default=True,
        description="Count the answers by label, confidence, length, unknown words and language, "
        "to tell drift from the training and to estimate the accuracy (`GET /v1/monitor`). Counts "
        "alone are kept, no text.",
    )
    cache_bytes: int = Field(
        default=0,
        ge=0,
        description="Memory for cached answers to texts that come again. 0: no cache. The cache "
        "never holds the texts themselves.",
    )
    feedback_database: str = Field(
        default="",
        description="Where `POST /v1/feedback` stores true labels: the path of an SQLite file, or "
        "`postgresql://USER:PASSWORD@HOST/DATABASE`, which several replicas share. Empty: feedback "
        "is refused. Needs the extra `valence[feedback]`.",
    )
    feedback_key: Annotated[str, AfterValidator(_require_key)] = Field(
        default="",
        description="The key of the ids of predictions, as 64 hexadecimal digits. Empty: the key "
        "that the feedback database keeps, or without a database a new one at each start.",
    )
    feedback_text: bool = Field(
        default=False,
        description="Whether feedback may have a `text` and a `source`, which are then stored.",
    )
    feedback_days: float = Field(
        default=365.0,
        ge=0,
        description="Days after which feedback is deleted. 0: it is kept.",
    )
    sample_texts: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Texts of clients that are kept for labelling, of each model: uncertain and "
        "drifting ones, and some of each label, a third each. They are in "
        "`VALENCE_FEEDBACK_DATABASE`, and `GET /v1/models` tells that they are kept. 0: no text is "
        "kept.",
    )
    sample_days: float = Field(
        default=30.0,
        ge=0,
        description="Days after which a text of the sample is deleted. 0: it is kept until a "
        "better one takes its place.",
    )
    access_log: bool = Field(
        default=True,
        description="Write one JSON line per request to standard output. The line never has the "
        "text.",
    )

    @model_validator(mode="after")
    def _queue_holds_a_request(self) -> Self:
        if self.queue_items < self.max_texts:
            raise ValueError(
                f"queue_items ({self.queue_items}) must be at least max_texts ({self.max_texts}), "
                "or the queue could never hold the largest request allowed"
            )
        if self.body_memory_bytes < self.max_body_bytes:
            raise ValueError(
                f"body_memory_bytes ({self.body_memory_bytes}) must be at least max_body_bytes "
                f"({self.max_body_bytes}), or the largest body allowed could never be read"
            )
        return self

    @model_validator(mode="after")
    def _sample_has_a_place(self) -> Self:
        if 0 < self.sample_texts < 3:
            raise ValueError(
                f"sample_texts is {self.sample_texts}, but a sample has three parts; give 3 or "
                "more, or 0 to keep no text"
            )
        if self.sample_texts and not self.feedback_database:
            raise ValueError(
                f"sample_texts is {self.sample_texts}, but no database is named to keep them in; "
                "set VALENCE_FEEDBACK_DATABASE too"
            )
        return self

    @property
    def resident_bytes(self) -> int:
        """``resident_mib`` in bytes."""
        return self.resident_mib * 2**20

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings from the variables in ``environment``.

        Raises :class:`ConfigurationError` for an unknown variable and for an invalid value.
        """
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
            value = "..." if name in _SECRETS else repr(given[name])
            raise ConfigurationError(
                f"{PREFIX}{name.upper()}={value}: {message}. Meaning of the setting: "
                f"{cls.model_fields[name].description}"
            ) from None


def _unknown(name: str, known: tuple[str, ...]) -> str:
    variable = PREFIX + name.upper()
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"{variable} is not a setting; did you mean {PREFIX}{near[0].upper()}?"
    settings = ", ".join(PREFIX + setting.upper() for setting in known)
    return f"{variable} is not a setting; the settings are {settings}"
