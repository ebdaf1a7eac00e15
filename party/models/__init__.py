"""The architectures of base and fuse models; apart from `party.engine`, the only folder that imports TensorFlow."""
