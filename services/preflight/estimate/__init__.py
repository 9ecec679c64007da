"""What a run needs: memory, time, money; from formulas, in milliseconds."""
