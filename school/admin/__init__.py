"""Pages over everything: schools, accounts, mail."""
