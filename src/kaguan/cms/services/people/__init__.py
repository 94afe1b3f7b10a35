"""Use cases about people themselves: enrolled, edited, corrected, merged, guarded, portrayed, unmasked, purged."""
