"""Better hyperparameters by trial: a declared space, searched by Optuna, judged by dev texts."""
