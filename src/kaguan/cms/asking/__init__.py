"""How every command of card management is asked for."""
