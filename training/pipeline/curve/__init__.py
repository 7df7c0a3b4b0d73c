"""The learning curve over the number of labels of one's own texts, and what more labels would pay.

Imports ``pipeline.selection`` and lower floors.
"""
