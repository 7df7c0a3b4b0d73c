"""HTTP only: routes by dialect, their schemas, and the one table of errors."""
