"""Pages over all schools."""

from school.admin.views import accounts, mail, schools, storage
from school.admin.views.blueprint import bp

__all__ = ["accounts", "bp", "mail", "schools", "storage"]
