"""The school's frame: academic years and classes."""
