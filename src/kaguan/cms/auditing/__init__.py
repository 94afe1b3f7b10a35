"""What keeps the audit log honest from outside the database: signed checkpoints, and exports."""
