"""API keys: their file, its changes, and ``valence keys``. Imports only ``errors``, ``pacing``."""
