"""The command line ``valence``: one command a file, and the options that commands share."""
