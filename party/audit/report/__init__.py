"""The report of an audit: the parts of the parties and the pages; the coordinator makes them too, without data."""
