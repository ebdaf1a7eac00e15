"""A first configuration of a party, guessed from its files and explained in comments."""
