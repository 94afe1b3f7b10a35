"""A station: one chip becomes one card."""
