"""Rates and delays: a token bucket, a debounced callback. Imports nothing of Valence but errors."""
