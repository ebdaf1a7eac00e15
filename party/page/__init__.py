"""Pages for people outside the terminal: one HTML file each, without scripts and without data; all sides make them."""
