"""The routes, grouped as `services/` are; each asks for one use case."""
