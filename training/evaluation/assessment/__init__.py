"""The report of ``valence evaluate``: figures, slices, mistakes, selective prediction."""
