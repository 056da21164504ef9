"""The roster engine: a spreadsheet becomes students, guardians and problems. No database."""
