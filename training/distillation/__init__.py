"""Teachers, their logits, and the transfer set that a classifier learns from."""
