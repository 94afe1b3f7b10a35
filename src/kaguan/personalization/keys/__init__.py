"""A key store that several people answer for: ceremonies, states, counters, and a record of all that happened."""
