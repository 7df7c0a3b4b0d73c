"""The rows of the dashboard below its overview: a panel for every metric of the service.

Queries on recording rules and on foreign metrics are written here; those on a metric of the service
come from its type.
"""

from __future__ import annotations

from typing import NamedTuple

# both variables are "all" at first; `.*` also takes series without the label
SELECTOR = 'job=~"$job",namespace=~"$namespace"'
_CONTAINER = 'namespace=~"$namespace",container="valence"'


class Panel(NamedTuple):
    """A metric to draw, and the labels that distinguish its lines."""

    metric: str
    by: tuple[str, ...]
    title: str
    of: str = ""
    """Name of another counter: the panel draws the share of ``metric`` in it."""


class Query(NamedTuple):
    """A query on recording rules or on foreign metrics."""

    title: str
    description: str
    unit: str
    expression: str
    legend: str


def _periods(kind: str) -> str:
    metric = f"container_cpu_cfs_{kind}_total{{{_CONTAINER}}}"
    return f"sum by (pod) (rate({metric}[$__rate_interval]))"


def _shadow_texts(outcomes: str) -> str:
    metric = f'valence_shadow_texts_total{{{SELECTOR},outcome=~"{outcomes}"}}'
    return f"sum by (model, version, challenger) (rate({metric}[$__rate_interval]))"


ROWS: dict[str, tuple[Panel | Query, ...]] = {
    "Requests": (
        Panel("valence_requests", ("route",), "Requests per second"),
        Panel("valence_requests", ("status",), "Requests per second"),
        Panel("valence_request_duration_seconds", ("route",), "Time to answer"),
        Panel("valence_key_requests", ("key",), "Requests per second"),
        Panel("valence_key_texts", ("key",), "Texts per second"),
        Panel("valence_key_tokens", ("key",), "Tokens per second"),
        Panel("valence_keys", ("pod", "state"), "Lines in the file of keys"),
        Panel("valence_keys_unread", ("pod",), "File of keys unread"),
        Panel("valence_log_lines_dropped", ("pod",), "Log lines lost per second"),
    ),
    "Stages of a request": (
        Panel("valence_stage_duration_seconds", ("stage",), "Time of a request"),
    ),
    "Queue and batches": (
        Panel("valence_queue_items", ("pod", "model"), "Texts that wait"),
        Panel("valence_queue_tokens", ("pod", "model"), "Tokens that wait"),
        Panel("valence_queue_age_seconds", ("pod", "model"), "Longest wait"),
        Panel("valence_batch_items", ("model",), "Texts in a batch"),
        Panel("valence_batch_tokens", ("model",), "Tokens in a batch"),
        Panel("valence_rejected_requests", ("reason",), "Refused requests per second"),
    ),
    "Saturation": (
        Panel("valence_saturation_ratio", ("pod",), "Saturation"),
        Panel("valence_requests_in_flight", ("pod",), "Requests in flight"),
        Panel("valence_ready", ("pod",), "Ready"),
        Panel("process_cpu_seconds", ("pod",), "Processor cores in use"),
        Panel("process_resident_memory_bytes", ("pod",), "Memory"),
        Panel("process_open_fds", ("pod",), "Open files and connections"),
        Panel("process_start_time_seconds", ("pod",), "Age of the process"),
        Query(
            "Processor throttled by pod",
            "Share of periods in which a container was held back by its CPU limit (cAdvisor). "
            "Nothing without a limit.",
            "percentunit",
            f"{_periods('throttled_periods')} / {_periods('periods')}",
            "{{pod}}",
        ),
    ),
    "GPU": (
        Query(
            "GPU in use by pod and gpu",
            "Share of time in which a kernel ran (NVIDIA's DCGM exporter).",
            "percent",
            f"max by (pod, gpu) (DCGM_FI_DEV_GPU_UTIL{{{_CONTAINER}}})",
            "{{pod}} {{gpu}}",
        ),
        Query(
            "GPU memory by pod and gpu",
            "Memory in use on the GPU (NVIDIA's DCGM exporter).",
            "decmbytes",
            f"max by (pod, gpu) (DCGM_FI_DEV_FB_USED{{{_CONTAINER}}})",
            "{{pod}} {{gpu}}",
        ),
    ),
    "Accuracy and drift, estimated": (
        Panel(
            "valence_estimated_right_texts",
            ("model", "version"),
            "Estimated accuracy",
            of="valence_monitored_texts",
        ),
        Panel("valence_reference_accuracy", ("model", "version"), "Accuracy in the training"),
        Panel(
            "valence_drift_windows", ("model", "version", "signal", "outcome"), "Windows per second"
        ),
        Panel("valence_monitored_texts", ("model", "version"), "Monitored texts per second"),
        Panel("valence_feedback", ("model", "version", "outcome"), "Feedback per second"),
    ),
    "Drift of the labels": (
        Query(
            "Shift of the labels by model and version",
            "Population stability index of the last hour's labels against the week's mean; "
            "ValenceLabelsDrift is above 0.25.",
            "none",
            f"model:valence_label_shift:psi{{{SELECTOR}}}",
            "{{model}} {{version}}",
        ),
        Query(
            "Labels of the hour by model, version and label",
            "How the last hour's texts were labelled.",
            "percentunit",
            f"model:valence_label_share:rate1h{{{SELECTOR}}}",
            "{{model}} {{version}} {{label}}",
        ),
        Query(
            "Labels of the week by model, version and label",
            "The mean of the hours of the week, which an hour is compared with.",
            "percentunit",
            f"model:valence_label_share:avg1w{{{SELECTOR}}}",
            "{{model}} {{version}} {{label}}",
        ),
    ),
    "Models": (
        Panel("valence_predictions", ("model", "version", "label"), "Predictions per second"),
        Panel("valence_uncertain_texts", ("model", "version"), "Uncertain texts per second"),
        Panel("valence_tokens", ("model", "version"), "Tokens per second"),
        Panel(
            "valence_unknown_tokens", ("model", "version"), "Unknown tokens", of="valence_tokens"
        ),
        Panel(
            "valence_truncated_texts",
            ("model", "version"),
            "Truncated texts",
            of="valence_predictions",
        ),
        Panel("valence_cache_hits", ("model", "version"), "Cache hits per second"),
        Panel("valence_cache_misses", ("model", "version"), "Cache misses per second"),
    ),
    "Challengers": (
        Panel(
            "valence_shadow_texts",
            ("model", "challenger", "outcome"),
            "Texts of the challenger per second",
        ),
        Query(
            "Disagreement by model, version and challenger",
            "Share of the texts to which the challenger gives other labels, or none; "
            "ValenceShadowDisagrees is above 25 % of an hour.",
            "percentunit",
            f"{_shadow_texts('differed|failed')} / {_shadow_texts('agreed|differed|failed')}",
            "{{model}} {{version}} {{challenger}}",
        ),
        Panel(
            "valence_shadow_predictions",
            ("model", "challenger", "source", "label"),
            "Labels of both versions per second",
        ),
        Panel(
            "valence_shadow_probability_difference",
            ("model", "challenger"),
            "Difference of the probabilities",
        ),
        Panel(
            "valence_shadow_engine_seconds",
            ("model", "challenger", "source"),
            "Processor time of both versions",
        ),
        Panel("valence_shadow_share", ("pod", "model"), "Share of the requests that are shadowed"),
    ),
    "Versions": (
        Panel("valence_model_info", ("model", "version", "engine"), "Models served"),
        Panel("valence_model_alias", ("pod", "model", "alias", "version"), "Meaning of an alias"),
        Panel(
            "valence_model_reload", ("model", "outcome"), "Versions named by the store per second"
        ),
        Panel("valence_model_refused", ("pod", "model"), "Versions refused"),
        Panel("valence_model_pulls", ("model", "outcome"), "Copies from the source per second"),
        Panel("valence_model_source_unread", ("pod", "model"), "Source unread"),
        Panel("valence_build_info", ("service_version",), "Versions of the service"),
    ),
}
# another panel shows the first ones better; the others repeat under BentoML's names
UNSHOWN = {
    "process_virtual_memory_bytes",
    "process_max_fds",
    "bentoml_service_request",
    "bentoml_service_request_duration_seconds",
}
# rows that are open at first; an operator opens the others
OPEN = ("Requests", "Saturation")
