"""The door of the blacklist: pushed to terminals, taken by them, shown."""
