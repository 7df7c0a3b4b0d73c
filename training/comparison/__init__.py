"""Two classifiers on the same texts: which is better, by how much, and how sure that is."""
