"""Doors that open when somebody knocks, and no sooner."""
