"""The commands of `coordinator`, a module each; what they do is loaded when they run."""
