"""The front door: `kaguan`."""
