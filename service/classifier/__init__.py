"""What a classifier is: text -> tokens -> word ids -> logits -> calibrated probabilities.

Nothing here imports a web framework or BentoML, and only :mod:`valence.service.classifier.model`
imports torch, so the other modules serve an engine that has no torch in its process.
:mod:`training` builds on exactly these modules: a served score equals a trained one.
"""
