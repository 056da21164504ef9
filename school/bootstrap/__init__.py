"""Set-up, from a bare Python to a running school. Standard library only; no other room is used.

`setup_infrastructure.sh` and `setup_infrastructure.ps1` find a Python and hand over to
`__main__.py`. Every step can be repeated: what is there already is left alone.
"""
