"""Everything that subclasses or patches uvicorn, uvloop and circus.

README.md lists the private names that it relies on.

Only ``service/app.py`` imports this folder.
"""
