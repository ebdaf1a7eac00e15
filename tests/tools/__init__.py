"""Programs that check changes of this project, and their tests."""
