"""Runs first: the network, and what all programs of the board share."""

import gc

import network
from machine import Pin

gc.collect()

access_point = network.WLAN(network.AP_IF)
access_point.active(True)
access_point.config(essid="weather", password="123456789")

led = Pin(2, Pin.OUT, value=1)  # lit when low
