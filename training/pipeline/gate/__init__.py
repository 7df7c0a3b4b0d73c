"""The gate: judges a challenger against the champion."""
