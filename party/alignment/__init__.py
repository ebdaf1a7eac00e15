"""Private set intersection: putting the rows of all parties in the same order."""
