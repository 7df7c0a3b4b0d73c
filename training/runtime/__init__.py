"""What a process of the pipeline is and where it works; knows nothing of texts or networks."""
