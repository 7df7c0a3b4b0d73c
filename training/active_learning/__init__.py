"""Which texts to label next: ranked by what the model itself says of them.

Imports the service, the corpora and the evaluation.
"""
