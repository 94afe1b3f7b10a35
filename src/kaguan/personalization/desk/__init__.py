"""The desk: what people decide about a job, and what they count, from any machine."""
