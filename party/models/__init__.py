"""The mathematics of base and fuse models; the only folder that imports TensorFlow."""
