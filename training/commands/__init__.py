"""The commands of ``python -m training``, one a file; each imports what is slow when it runs."""
