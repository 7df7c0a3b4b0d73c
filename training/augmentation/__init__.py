"""Texts that nobody wrote, made of training texts, for a teacher to label."""
