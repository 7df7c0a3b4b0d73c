"""Sources of models beside the model store on disk: volumes, object stores, the Hub, registries.

A source holds what a model store holds: versions of models as sealed folders, and aliases, which
are small JSON files. Here live the kinds of sources, the copy of a source on this disk, and the
publication of a version at a source.
"""
