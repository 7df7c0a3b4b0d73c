"""Trials of the monitor: alarms on drift, false alarms, and estimated accuracy."""
