"""Distillation: what a transformer says of texts becomes what the small network learns."""
