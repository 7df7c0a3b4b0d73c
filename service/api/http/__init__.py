"""What a request and a response are: routing, reading, validation, errors, authorization.

Knows no route; imports ``inference`` and what lies below.
"""
