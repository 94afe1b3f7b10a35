"""A bureau in which everything goes wrong that can, as one number says, and the judge of what it leaves."""
