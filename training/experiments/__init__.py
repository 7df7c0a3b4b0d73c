"""Many trainings: hyperparameter search, public tasks."""
