"""Converts the columns of CSV and Parquet files to integer and float arrays."""
