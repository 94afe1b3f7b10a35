"""Which job is meant, and which two people are at the desk."""
