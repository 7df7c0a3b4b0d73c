"""The pipeline that turns labelled text into classifiers; ``python -m training --help``.

``corpora`` read texts and labels, ``split`` deals them out, ``fitting`` trains the network that
:mod:`service.classifier` defines, ``evaluation`` and ``calibration`` judge it, and ``pipeline``
strings these together into an artifact in the model store.
"""
