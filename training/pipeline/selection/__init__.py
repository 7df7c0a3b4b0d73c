"""The choice among recipes for a user's own texts, by what each answers to texts it has not learnt.

Only ``cli`` imports this folder.
"""
