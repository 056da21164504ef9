"""A SQLite file into PostgreSQL, proven complete.

It takes files, addresses and connections as arguments and knows no domain of Schoolhouse.
"""
