"""Rows of CSV, TSV, JSON Lines and Parquet files: encodings, delimiters, tables."""
