"""The commands of `party`, a module each; what they do is loaded when they run."""
