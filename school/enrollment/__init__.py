"""A person in a class for a time.

Enrollment knows students by id alone and lies below them: admitting and importing place a
student in a class in the same transaction.
"""
