"""A running party: its data, its records, and the session that it serves."""
