"""Many schools in one database, isolated four times over.

(a) `scope`: the school comes from the signed-in membership, once; without it tenant queries raise.
(b) `walls`: every ORM select, update and delete is narrowed, every flush checked.
(c) `models`: keys and foreign keys carry school_id, so a cross-school link cannot be stored.
(d) `row_security`: PostgreSQL's own row-level security, failing closed.
"""
