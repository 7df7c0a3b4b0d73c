"""Why a text got its label: attributions of its tokens, activations of units."""
