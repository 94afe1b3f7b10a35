"""A job steered from another terminal or machine."""
