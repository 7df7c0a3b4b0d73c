"""The gate: a challenger replaces the champion only if it is better, and nothing pays for it."""
