"""Meters: what a party gives away while it trains, measured on the very matrices that it sends. NumPy alone."""
