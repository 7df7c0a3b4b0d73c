"""The metrics of API keys: what each has cost, and the state of their file."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge
from valence.service.observability.request_record import RequestRecord


class KeyMetrics:
    """The metrics of API keys in ``registry``; a key is known by its name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "valence_key_requests",
            "Requests answered, by the name of their API key.",
            ("key",),
            registry=registry,
        )
        self._texts = Counter(
            "valence_key_texts",
            "Texts scored, by the name of the API key that asked.",
            ("key",),
            registry=registry,
        )
        self._tokens = Counter(
            "valence_key_tokens",
            "Tokens that the engine was given, by the name of the API key that pays for them.",
            ("key",),
            registry=registry,
        )
        self._lines = Gauge(
            "valence_keys",
            "Lines of the file of API keys, by whether they are valid.",
            ("state",),
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self._unread = Gauge(
            "valence_keys_unread",
            "1 while the file of API keys cannot be read, and the keys before it stay valid.",
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self._buffered_usage: dict[str, list[tuple[int, int]]] = {}

    def count_request(self, record: RequestRecord) -> None:
        """Count one answered request of a key, at the next :meth:`flush`."""
        usage = record.texts, record.key_tokens
        self._buffered_usage.setdefault(record.key, []).append(usage)

    def flush(self) -> None:
        """Update the metrics by what was counted since the last flush."""
        buffered, self._buffered_usage = self._buffered_usage, {}
        for name, usages in buffered.items():
            self._requests.labels(name).inc(len(usages))
            self._texts.labels(name).inc(sum(texts for texts, _ in usages))
            self._tokens.labels(name).inc(sum(tokens for _, tokens in usages))

    def set_lines(self, *, valid: int, invalid: int) -> None:
        """Write how many lines of the file are valid; not called where no file is set."""
        self._lines.labels("valid").set(valid)
        self._lines.labels("invalid").set(invalid)

    def set_unread(self, *, unread: bool) -> None:
        """Write whether the file is there and cannot be read."""
        self._unread.set(unread)
