"""Metrics as pure functions of arrays: scores, calibration, thresholds, bootstrap.

This folder reads no files. It imports only ``valence.service``.
"""
