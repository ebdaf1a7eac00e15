"""`party report`: a page about a run for the organisation itself: exact figures, and what left the building."""
