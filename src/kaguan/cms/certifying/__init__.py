"""Extracts of a card as signed text, as QR code, and on paper; `services.certificates` issues them."""
