"""The network and its training loop: optimizer, dropout, checkpoints."""
