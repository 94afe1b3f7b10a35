"""Electronic certificates: issued to a holder, looked at, revoked, and the keys that sign them."""
