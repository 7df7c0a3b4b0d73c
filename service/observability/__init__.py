"""What the service says about itself: log, traces, metrics. Texts never go here."""
