"""A person's record becomes a sealed card: order, data preparation, recipe, station, read-back, return files."""
