"""What is served, watched without labels: drift from the training, and estimated accuracy.

A monitor keeps counts and no text. It imports the classifier and the metrics.
"""
