"""``valence.spark``: a model as a function of Spark's columns. ``pip install 'valence[spark]'``."""

from valence.service.cluster.spark import classify_udf

__all__ = ["classify_udf"]
