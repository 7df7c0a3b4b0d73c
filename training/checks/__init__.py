"""Checks of labelled data before training: duplicates, label noise, drift, personal data."""
