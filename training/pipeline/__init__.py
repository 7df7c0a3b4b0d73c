"""A whole training, from a configuration to a published classifier; retraining with the gate.

Only ``experiments`` and ``cli`` import this folder.
"""
