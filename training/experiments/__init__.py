"""Experiments, which train many classifiers: hyperparameter search and public tasks."""
