"""Labelled copies of training texts, each with a change that the classifier must understand.

Emoji, negation and degree, people. The words and templates are others than those of
``valence.training.behaviour``, which judges what was learnt.
"""
