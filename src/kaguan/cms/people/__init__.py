"""The door to the people on the books."""
