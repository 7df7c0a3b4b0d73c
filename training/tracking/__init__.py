"""Tracking of training runs in MLflow and TensorBoard.

This folder imports ``runtime``, ``config``, ``report`` and the epochs of ``trainer``.
"""
