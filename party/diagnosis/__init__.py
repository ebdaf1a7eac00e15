"""What a doctor of either side finds, and the examinations that need no data."""
