"""What leaves the house besides cards: reports, previews, pairing codes, and PINs for the mailer room."""
