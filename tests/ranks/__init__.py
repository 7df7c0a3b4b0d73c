"""Files of artificial labelled texts of any size: for training on more data than memory holds."""
