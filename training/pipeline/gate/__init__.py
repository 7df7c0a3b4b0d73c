"""The gate: evaluates a challenger against the champion, and decides on its promotion."""
