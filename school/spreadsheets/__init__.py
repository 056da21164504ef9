"""Spreadsheets in and out: any CSV or XLSX to rows of cells, and rows to a safe file."""
