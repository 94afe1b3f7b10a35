"""A body for the chip: memory that survives, power that can fail, readers that hold it."""
