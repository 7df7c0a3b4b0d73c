"""Public tasks: one recipe for each task, and the table of the results."""
