"""Generated protocol buffer messages and service stubs; never edited by hand."""
