"""What a registry can be filled with: models, recipes and adapters that people begin with."""
