"""The gate, tried: worse, equal and better challengers, and ``kill -9`` while it works."""
