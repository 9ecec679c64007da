"""From an uploaded file to stored rows: which kind of file it is, its rows, their schema, their columns."""
