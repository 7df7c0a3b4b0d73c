"""The pipeline that turns labelled text into classifiers; ``python -m training --help``.

``corpora`` read texts and labels, ``split`` deals them out, ``preparation`` encodes them,
``fitting`` trains the network that :mod:`valence.service.classifier` defines, ``outcome`` judges it with
``evaluation`` and ``calibration``, ``publication`` seals it into an artifact in the model store;
``pipeline`` strings these together.
"""
