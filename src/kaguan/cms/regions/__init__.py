"""Region files that come with Kaguan, and the door to what regions decide."""
