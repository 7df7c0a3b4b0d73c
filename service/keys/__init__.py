"""API keys: the file of their hashes, and ``valence keys``. Imports only ``errors``."""
