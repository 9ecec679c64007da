"""What every server shares: settings, errors, the gRPC server, the database, paging, idempotency, knobs."""
