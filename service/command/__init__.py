"""What commands share: the parser of their options. Imports nothing of the service."""
