"""Every metric the service exports.

Built once a worker, after BentoML has set ``PROMETHEUS_MULTIPROC_DIR``, never at import: the
client library decides by that variable whether values live in memory or in files the workers share.
Labels come from the route table and the models, never from a request.
"""

from valence.service.observability.metrics.exposition import CONTENT_TYPE
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.service import Metrics

__all__ = ["CONTENT_TYPE", "Metrics", "ModelMetrics", "ScoringRecord"]
