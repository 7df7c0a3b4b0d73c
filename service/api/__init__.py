"""The HTTP application: routes, schemas, errors, pages."""
