"""What a party's datasets are like, for its owner: counts, numbers, and what a model cannot learn from."""
