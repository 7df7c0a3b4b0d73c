"""A trained classifier: its artifact, from text to word ids, from logits to calibrated labels.

Imports no engine, no web framework and no torch, but for ``model``, the network's definition.
"""
