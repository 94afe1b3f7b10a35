"""What two people decide about chips and cards."""
