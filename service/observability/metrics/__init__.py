"""All metrics that the service exports.

Each worker creates them when it starts, never at import: a worker that is the only one keeps its
values in memory, and several workers share theirs in files (``metrics_folder.py``). Labels come
from the route table and the models, never from a request.
"""

from valence.service.observability.metrics.exposition import CONTENT_TYPE
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.saturation import Saturation
from valence.service.observability.metrics.service import Metrics

__all__ = ["CONTENT_TYPE", "Metrics", "ModelMetrics", "Saturation", "ScoringRecord"]
