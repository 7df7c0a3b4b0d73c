"""Valence's microservice: word-level recurrent classifiers behind a typed HTTP API.

Imports point one way: ``app -> api -> inference -> classifier``.
"""
