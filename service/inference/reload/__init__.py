"""The reload of models in a running service: what is checked, and who follows the store."""
