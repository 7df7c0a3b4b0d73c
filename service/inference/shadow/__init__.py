"""Shadow scoring: a challenger scores texts that another version has answered.

It may import what scores: ``service.inference`` and the floors below.
"""
