"""Trials of `valence train` on public texts with few labels, beside simpler models."""
