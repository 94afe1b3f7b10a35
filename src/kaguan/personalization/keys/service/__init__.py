"""The key service: a vault on one machine, for stations on others."""
