"""What trains classifiers: from labelled text to an artifact in the model store.

The floors of the folders are in ``tests/architecture``.
"""
