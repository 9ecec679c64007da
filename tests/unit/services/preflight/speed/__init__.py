"""Devices, time, cost, queue, residuals."""
