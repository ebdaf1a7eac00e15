"""The documentation as a site: pages that the generator makes from commands, docstrings, notebooks and the repository."""
