"""The doors to a person's own data."""
