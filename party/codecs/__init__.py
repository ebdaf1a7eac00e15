"""How the hiddens and gradients of a batch become fewer bytes: one module per kind, each with a bound on its error."""
