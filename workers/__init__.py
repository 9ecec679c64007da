"""What runs jobs: an agent in a Ray cluster that leases them, and the actor that trains."""
