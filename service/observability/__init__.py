"""Log, traces and metrics; none of them contains a text of a user."""
