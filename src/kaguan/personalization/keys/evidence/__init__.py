"""The door to the records of key stores."""
