"""Hyperparameter search by trials, with Optuna."""
