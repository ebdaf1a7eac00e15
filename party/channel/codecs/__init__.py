"""Codecs encode hiddens and gradients in fewer bytes: one module per kind, each with a bound on its error."""
