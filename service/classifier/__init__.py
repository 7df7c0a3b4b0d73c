"""A trained classifier: its files on disk, from text to word ids, from logits to calibrated labels.

Imports ``errors`` only: not an engine, a web framework or torch, except in ``model``, the
definition of the network.
"""
