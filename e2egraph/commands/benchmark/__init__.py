"""``e2egraph benchmark …``: one module a command."""
