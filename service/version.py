"""The version of Valence, said once."""

VERSION = "0.1.0"
