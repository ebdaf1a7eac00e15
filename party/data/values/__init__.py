"""What a cell means: one text for each value, in whatever type or notation a file holds it."""
