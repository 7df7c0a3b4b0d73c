"""Trials of the gate: worse, equal and better challengers, and ``kill -9`` while it works."""
