"""All metrics that the service exports.

Each worker creates them after BentoML has set ``PROMETHEUS_MULTIPROC_DIR``, never at import: the
client library decides by that variable whether values are in memory or in files that workers share.
Labels come from the route table and the models, never from a request.
"""

from valence.service.observability.metrics.exposition import CONTENT_TYPE
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.service import Metrics

__all__ = ["CONTENT_TYPE", "Metrics", "ModelMetrics", "ScoringRecord"]
