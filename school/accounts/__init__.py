"""People who sign in: users, their memberships in schools, and their API tokens."""
