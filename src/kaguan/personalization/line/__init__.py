"""The line: an order comes in, stations work it off, return files go out."""
