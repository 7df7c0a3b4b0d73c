"""Linear models over n-grams: their choice from texts, and their weights by logistic regression.

Imports ``data`` and lower floors. The tables that serve them are in
:mod:`valence.service.classifier.ngrams`.
"""
