"""The door to key stores in tokens."""
