"""The BentoML model store: the models to serve, champions, and bentos with their models."""
