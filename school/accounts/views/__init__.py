"""Pages: signing in, one's own account, the people of the school, rights, API tokens."""

from school.accounts.views import doors, people, permissions, profile, tokens
from school.accounts.views.door import bp
from school.accounts.views.sign_in import init_sign_in

__all__ = ["bp", "doors", "init_sign_in", "people", "permissions", "profile", "tokens"]
