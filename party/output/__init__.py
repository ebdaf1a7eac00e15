"""What commands print: quantities in words, and results as JSON."""
