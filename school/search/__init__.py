"""Finding anything by the beginning of any of its words, accents and case aside."""
