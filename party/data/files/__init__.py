"""Reads the files that people have, as record batches: one interface for every format, place and number of parts."""
