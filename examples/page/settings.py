"""Seconds."""

WARM_UP = 5  # of the gas sensor's heater, before it can measure
BLINK_DURATION = 3
