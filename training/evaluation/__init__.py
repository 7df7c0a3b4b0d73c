"""Evaluates a fitted or a stored model: baselines, slices, explanations, typing errors."""
