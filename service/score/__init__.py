"""Scores files without HTTP: ``python -m service.score IN OUT``."""
