"""Files: what people see (File, FileVersion) and where the bytes lie (Blob, BlobLocation)."""
