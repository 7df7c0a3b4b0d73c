"""What the machine offers to this process. This folder imports nothing of Valence."""
