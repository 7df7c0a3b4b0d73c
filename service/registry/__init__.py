"""Where models come from: the BentoML model store, champions, bentos."""
