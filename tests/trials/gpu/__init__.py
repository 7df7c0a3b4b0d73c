"""What a GPU does with the network: agreement, speed, limits, training. See ``__main__``."""
