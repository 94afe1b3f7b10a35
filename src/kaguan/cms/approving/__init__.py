"""The door to what two people decide."""
