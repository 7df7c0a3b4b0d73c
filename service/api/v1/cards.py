"""The schemas of the answers about models: ``GET /v1/models``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, JsonValue
from valence.service.classifier.manifest import BehaviourRecord, Outside, Task, Training


class Limits(BaseModel):
    """The limits of requests, texts, connections and queues.

    Beyond a limit the service refuses the request or closes the connection.
    """

    max_body_bytes: int
    max_texts: int
    max_characters: int
    max_tokens: Annotated[int, Field(description="Tokens of a text that the model reads at once.")]
    max_id_characters: int
    max_explained_texts: Annotated[int, Field(description="Texts in a request with `explain`.")]
    max_windows: Annotated[
        int, Field(description="Windows and sentences of the texts of a request.")
    ]
    max_explained_tokens: Annotated[
        int, Field(description="Tokens of the texts of a request with `explain`.")
    ]
    max_answer_bytes: Annotated[
        int, Field(description="Size of an answer, estimated before the texts are scored.")
    ]
    queue_items: int
    queue_tokens: int
    request_timeout_seconds: Annotated[
        float, Field(description="The maximum for `X-Request-Timeout-Ms` too.")
    ]
    body_memory_bytes: Annotated[
        int,
        Field(description="Memory for bodies, texts and large answers of all requests."),
    ]
    max_header_bytes: int
    max_headers: int
    header_timeout_seconds: float
    body_idle_seconds: Annotated[
        float, Field(description="Maximum pause of a client while it sends or reads.")
    ]
    min_body_bytes_per_second: Annotated[
        int, Field(description="Minimum speed of a body after `body_idle_seconds`.")
    ]
    keep_alive_seconds: Annotated[float, Field(description="Time between two requests.")]
    stream_idle_seconds: Annotated[float, Field(description="Maximum pause of a stream.")]
    max_connections: Annotated[int, Field(description="Fewer if the process may open few files.")]
    key_texts_per_second: Annotated[
        float | None,
        Field(description="Rate of an API key without a rate of its own. Null: no limit."),
    ]
    key_tokens_per_second: Annotated[
        float | None,
        Field(description="The same rate, in tokens. Null: no limit."),
    ]


class Sampling(BaseModel):
    """Texts of clients are kept for labelling."""

    max_texts: Annotated[int, Field(description="Texts that are kept at most.")]
    days: Annotated[float | None, Field(description="Days that a text is kept. Null: any time.")]


class ModelCard(BaseModel):
    """One served model."""

    name: str
    version: str
    default: Annotated[
        bool, Field(description="Whether the model answers requests without a model.")
    ]
    versions: Annotated[
        list[str],
        Field(description="The versions in memory; each answers to `name:version`."),
    ]
    aliases: Annotated[
        dict[str, str],
        Field(description="The version of each alias; each answers to `name@alias`."),
    ]
    task: Annotated[
        Task,
        Field(
            description="`single_label`: one label per text. `multi_label`: any number of labels "
            "per text, each decided alone by its threshold."
        ),
    ]
    labels: list[str]
    thresholds: Annotated[
        dict[str, float],
        Field(description="The probability from which on a `multi_label` model gives a label."),
    ]
    polarity: dict[str, float] | None
    outside: Annotated[
        Outside | None,
        Field(
            description="How the model tells texts that belong to none of its labels, and how many "
            "it finds. Null: it does not tell them."
        ),
    ]
    engine: Annotated[str, Field(description="The engine that runs the model.")]
    limits: Limits
    sampling: Annotated[
        Sampling | None,
        Field(description="Null: no text is kept. Otherwise the operator keeps some of them."),
    ]
    metrics: Annotated[dict[str, JsonValue], Field(description="Metrics by split of the data.")]
    intervals: Annotated[
        dict[str, dict[str, tuple[float, float]]],
        Field(description="95 % bootstrap intervals by split and metric."),
    ]
    baselines: Annotated[
        dict[str, dict[str, float]],
        Field(description="Metrics of other classifiers on the test texts, by name."),
    ]
    behaviour: Annotated[
        dict[str, BehaviourRecord],
        Field(
            description="Behaviour tests by capability (negation, typos, names, ...): the numbers "
            "of cases tried and passed."
        ),
    ]
    restrictions: Annotated[
        list[str],
        Field(
            description="Data of the training that its owner allows for some uses only, such as "
            "research, with the licence. Empty: none is recorded."
        ),
    ]
    training: Annotated[
        Training, Field(description="Data, configuration, code and hardware of the training.")
    ]


class ModelList(BaseModel):
    """Every served model."""

    models: list[ModelCard]
