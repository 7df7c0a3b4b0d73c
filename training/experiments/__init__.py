"""Experiments, which train many classifiers: hyperparameter search and public tasks.

Only ``cli`` imports this folder.
"""
