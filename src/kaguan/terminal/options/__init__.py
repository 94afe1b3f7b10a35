"""What all doors that take a card ask for in the same words."""
