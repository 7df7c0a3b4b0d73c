"""Figures as pure functions of arrays: scores, calibration, thresholds, bootstrap. Reads no files."""
