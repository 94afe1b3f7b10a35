"""The door of reconciliation, which happens at the authority and without a card."""
