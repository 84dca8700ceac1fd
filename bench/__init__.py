"""Measurements, side by side with the Go registry. They assert nothing."""
