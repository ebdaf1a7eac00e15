"""The documentation as a site: pages made from commands, docstrings, notebooks and files of the repository."""
