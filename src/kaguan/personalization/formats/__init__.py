"""The other forms an order comes in or is answered in: sheets with a mapping file, and the bank's fixed-width files."""
