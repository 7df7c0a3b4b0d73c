"""Character-level language models: trained, sampled, their units read."""
