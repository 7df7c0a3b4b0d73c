"""Character-level language models: training, text generation, interpretable units.

This folder imports ``runtime``, ``config``, ``corpora``, ``data`` and ``trainer``.
"""
