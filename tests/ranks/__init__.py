"""Training by several processes, and on more data than memory: ``python -m tests.ranks``."""
