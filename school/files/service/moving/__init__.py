"""All files to another storage while the school works.

Which places there are and what they are called (places), how running processes follow (following),
what a move needs to begin (beginning), its row (books), one school's objects on their way
(carrying), those of other domains (loose), and the steps in their order (running). What operators
read of it is in telling. Nothing is imported here: `shelf` stands on `following`.
"""
