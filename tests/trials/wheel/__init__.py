"""Whether the wheel works where nothing else of Valence is: ``python -m tests.trials.wheel``."""
