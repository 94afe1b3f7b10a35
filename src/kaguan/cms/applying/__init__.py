"""The door of the desk where cards are applied for."""
