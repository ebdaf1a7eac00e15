"""`coordinator report`: a page about one run, from what the coordinator has of it; asks no party."""
