"""Who calls, and for which project. Until there is authentication everybody is one person in one project."""

PROJECT = "default"
OWNER = "local"
