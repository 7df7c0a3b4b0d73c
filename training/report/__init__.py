"""What a reader is shown of a training: report, plots, model card."""
