"""Word vectors: GloVe, files of vectors, sentence encoders, vectors learnt from one's own texts."""
