"""`coordinator doctor`: an examination in each module, all of them listed in `examinations.py`."""
