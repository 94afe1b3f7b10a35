"""Data preparation: from a holder's columns to a sealed record."""
