"""Public tasks: one recipe a task, and the table of their figures."""
