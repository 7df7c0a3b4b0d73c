"""Texts outside the labels: how a classifier learns to tell that a text belongs to none of them.

The classifier stays as it is. One more row of its output layer is a logistic regression on the
pooled vectors of the network, or on the n-grams that stand alone. It tells the texts of the
training from texts that belong to no label (outlier exposure: Hendrycks, Mazeika, Dietterich: *Deep
Anomaly Detection with Outlier Exposure*, ICLR 2019). So the scores of the labels do not change,
every engine computes the row exactly, and it costs one product.

The texts without a label are written for Valence (``kinds``), come from published corpora, or are
files of the user. This folder imports ``runtime``, ``config``, ``corpora``, ``data``, ``metrics``
and ``trainer``.
"""
