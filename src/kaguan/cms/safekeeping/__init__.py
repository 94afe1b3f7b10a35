"""The books in a file: backed up whole, sealed where there is a key store, and restored with proof."""
