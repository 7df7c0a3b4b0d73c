"""Scores files without HTTP: ``python -m valence.service.score IN OUT``."""
