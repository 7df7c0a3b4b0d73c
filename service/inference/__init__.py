"""From texts to predictions: admission, queue, batches, long texts, cache.

Imports ``classifier``, ``observability`` and its own ``engines`` and ``explain``; no web framework.
"""
