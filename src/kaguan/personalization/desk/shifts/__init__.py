"""Shifts and their blank chips."""
