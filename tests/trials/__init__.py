"""Programs that measure the product and write pages of the documents; each starts by ``-m``."""
