"""From the columns of a CSV file to integer and float arrays."""
