"""What people at the line are shown, and machines that watch it."""
