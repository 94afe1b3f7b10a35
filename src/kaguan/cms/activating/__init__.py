"""The door to the ways in which a card comes into use."""
