"""The door to sign-in, passwords and the close of the day."""
