"""Reads labelled texts: files, folders, archives of PyPI, data sets of the Hub and of torchtext."""
