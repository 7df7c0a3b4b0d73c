"""Readers of tables: CSV, TSV, JSON, Parquet, Excel, fastText. Writes files whole, under locks.

Imports ``errors`` only.
"""
