"""Models in a Python program, without a server: what ``valence.load`` gives."""
