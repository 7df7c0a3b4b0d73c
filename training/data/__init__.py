"""Makes texts ready to train on: splits, near-duplicates, vocabulary, targets, batches, streams."""
