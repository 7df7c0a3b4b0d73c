"""Label Studio's form of labels: the controls of a labelling configuration, and predictions.

Imports the classifier alone.
"""
