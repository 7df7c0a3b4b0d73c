"""Every metric the service exports.

Built once a worker, after BentoML has set ``PROMETHEUS_MULTIPROC_DIR``, never at import: the
client library decides by that variable whether values live in memory or in files the workers share.
Labels come from the route table and the models, never from a request.
"""

from valence.service.metrics.exposition import CONTENT_TYPE
from valence.service.metrics.model import ModelMetrics
from valence.service.metrics.service import Metrics

__all__ = ["CONTENT_TYPE", "Metrics", "ModelMetrics"]
