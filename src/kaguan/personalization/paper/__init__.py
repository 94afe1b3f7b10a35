"""What a bureau prints: PIN mailers, card faces, quality reports, pairing sheets; and a workbook of figures."""
