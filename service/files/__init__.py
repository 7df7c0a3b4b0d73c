"""Readers of tables: CSV, TSV, JSON, Parquet, Excel, fastText. Imports ``errors`` only."""
