"""Public tasks that classifiers are compared by: one recipe a task, and a table of what they reach.

A recipe (``configs/*.toml``) is no configuration of :mod:`valence.training.configuration`, and so not among
``training/configs``: where the texts lie is for the user to say, and labels are those of the texts.
From both :mod:`.task` makes a whole configuration, which ``valence.training.pipeline`` trains like any.
"""
