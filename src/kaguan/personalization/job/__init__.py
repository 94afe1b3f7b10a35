"""A personalization job: which rows there are, who works on which, and what became of each chip."""
