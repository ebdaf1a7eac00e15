"""One module per kind of feature: what is fitted on training rows, and how a cell becomes numbers."""
