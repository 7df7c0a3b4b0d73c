"""What the monitors of servers say about a model: whether there is a reason to train it anew."""
