"""``valence score``: files of texts scored without HTTP, resumable. Imports no web framework."""
