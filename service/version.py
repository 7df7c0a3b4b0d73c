"""The version of Valence."""

VERSION = "0.1.0"
