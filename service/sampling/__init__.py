"""A bounded sample of the texts of clients, for labelling: off unless the operator turns it on.

Imports the monitor and the database of feedback; SQLAlchemy only when a sample is kept.
"""
