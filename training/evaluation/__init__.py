"""Evaluation of classifiers on labelled texts.

An *evaluation* scores a model on texts: of a fitted model that is still in memory
(:mod:`.fitted_model`), or of a model in the registry (:mod:`.stored_model`). An *assessment*
(:mod:`.assessment`) is the report of ``valence evaluate``: an evaluation with slices, behavioural
tests, mistakes and a comparison. This folder imports ``runtime``, ``config``, ``corpora``,
``metrics``, ``behaviour``, ``data``, ``report``, ``registry`` and ``trainer``.
"""
