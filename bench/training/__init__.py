"""Training beside plain trl scripts: equal flags, our recommended settings beside trl's own, and what recording costs."""
