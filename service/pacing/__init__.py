"""Rates, delays and pauses. Imports nothing of Valence."""
