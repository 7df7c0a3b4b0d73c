"""Readers of CSV, TSV, JSON Lines and Parquet files. Imports ``errors`` only."""
