"""A model of the store judged in depth: on its own held-out texts, or on anyone's file."""
