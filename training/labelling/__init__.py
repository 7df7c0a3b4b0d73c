"""The start without labels: names of labels propose the labels of texts, a person confirms some.

Imports ``embeddings``, ``corpora`` and lower floors.
"""
