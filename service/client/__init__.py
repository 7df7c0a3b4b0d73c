"""``valence.Client`` and ``valence.AsyncClient``: calls of a service over HTTP."""
