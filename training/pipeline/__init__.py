"""From a configuration to a published classifier: train, publish, retrain."""
