"""The spreadsheet import: read a roster, show it as a diff, repair it, commit it, undo it."""
