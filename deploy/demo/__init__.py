"""The local demonstration: two companies on one machine, real processes, real TLS, real data."""
