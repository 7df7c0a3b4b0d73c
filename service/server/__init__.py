"""Everything that subclasses or patches uvicorn, uvloop, circus and BentoML's server.

``README.md`` lists the private names that it relies on. This folder imports only
``service/pacing`` and ``service/machine``. ``service/app.py`` imports it, and the API imports its
ASGI extension.
"""
