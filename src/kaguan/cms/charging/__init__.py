"""The door to what cards cost, and to orders that are late."""
