"""Values that are observed together count as those that are observed one by one."""

import pytest
from prometheus_client import CollectorRegistry, Histogram
from valence.service.observability.metrics.buffered import observe_all

BOUNDS = (0.5, 1, 2.5)


def exposed(histogram):
    return [
        (sample.name, sample.labels, sample.value)
        for sample in next(iter(histogram.collect())).samples
        if not sample.name.endswith("_created")
    ]


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0.1],
        [0.5, 1.0, 2.5],
        [3.0, 3.0, 1e9],
        [0, 0.5000001, 0.4999999, 1, 2.5, 2.6, float("inf")],
        list(range(100)),
    ],
    ids=["none", "one", "bounds", "above", "beside bounds", "many"],
)
def test_values_count_as_those_observed_one_by_one(values):
    one, together = (
        Histogram("seconds", "of work", buckets=BOUNDS, registry=CollectorRegistry())
        for _ in range(2)
    )
    for value in values:
        one.observe(value)
    observe_all(together, values)
    assert exposed(together) == exposed(one)
