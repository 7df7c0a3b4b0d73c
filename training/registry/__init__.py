"""The model registry: trained classifiers in the BentoML model store, and their champions.

This folder imports only ``valence.service``.
"""
