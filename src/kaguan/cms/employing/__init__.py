"""The doors to institutions and to those who work there."""
