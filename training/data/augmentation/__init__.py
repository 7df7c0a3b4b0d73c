"""Copies of texts with words left out or replaced by near words."""
