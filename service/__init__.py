"""Serves trained classifiers: HTTP API, inference queue, classifier and artifact.

Nothing here imports ``valence.training``.
"""
