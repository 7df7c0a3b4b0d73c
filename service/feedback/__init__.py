"""What comes back about predictions: their ids, the true labels, and the database of both.

Imports nothing of ``inference`` and ``api``; imports SQLAlchemy only when a database is set.
"""
