"""The configuration of a classifier: its schema, its TOML files, its presets."""
