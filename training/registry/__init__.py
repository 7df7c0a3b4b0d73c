"""Trained classifiers in the BentoML model store: publish, promote, roll back."""
