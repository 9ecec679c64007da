"""What `make up` runs in the foreground: it starts every part of Tunesmith, keeps it running, and leaves nothing behind."""
