"""What a process of the pipeline is and where it works; knows no texts and no networks."""
