"""``valence score``: score files of texts without HTTP; resumable. Imports no web framework."""
