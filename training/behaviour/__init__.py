"""Behavioural tests in the manner of CheckList: invariance, direction, fairness, functionality.

This folder imports only ``valence.service`` and ``valence.training.metrics``.
"""
