"""The documents about a trained classifier: report, plots, model card.

This folder imports ``metrics``, ``behaviour``, ``config`` and the epochs of ``trainer``.
"""
