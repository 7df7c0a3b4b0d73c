"""The assessment of a model: the report of ``valence evaluate``.

An assessment holds scores, slices, worst mistakes, selective prediction and a comparison.
"""
