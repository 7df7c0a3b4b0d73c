"""Pre-training: a language model of words gives the network its embedding and recurrences."""
