"""``valence.ray``: a model for the batches of Ray Data. ``pip install 'valence[ray]'``."""

from valence.service.cluster.ray import Classifier, find_scorer

__all__ = ["Classifier", "find_scorer"]
