"""One training in several processes: what each does, how they agree, and how Ray Train runs them."""
