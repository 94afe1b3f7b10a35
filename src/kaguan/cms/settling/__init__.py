"""The door of cases about chips: shown, and settled by two people."""
