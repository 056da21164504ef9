"""What an import writes, domain by domain, gathered and sent in bulk."""
