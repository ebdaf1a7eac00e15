"""What crosses the cut: hiddens, their layout, and the state of whatever sends them."""
