"""Behavioural tests in the manner of CheckList: invariance, direction, fairness, functionality."""
