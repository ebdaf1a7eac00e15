"""The report of an audit: its parts, as files of each party, and its pages; the coordinator reads it too, so no data."""
