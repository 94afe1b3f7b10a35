"""What the doors of key stores ask people."""
