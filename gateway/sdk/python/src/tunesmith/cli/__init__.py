"""The command line: one file a noun, all of them over the public gRPC API."""
