"""One running party: its data, its records, and the session it serves."""
