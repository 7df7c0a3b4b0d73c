"""From documents to logits: engines compute, the batcher decides when and together with what."""
