"""Pages over all schools."""

from school.admin.views import accounts, database, mail, schools, storage
from school.admin.views.blueprint import bp

__all__ = ["accounts", "bp", "database", "mail", "schools", "storage"]
