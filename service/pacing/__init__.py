"""Rates and delays: a token bucket and a debounced callback. Imports nothing of Valence."""
