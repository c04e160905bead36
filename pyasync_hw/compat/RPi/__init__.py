"""Stands for the package RPi, of which only GPIO is used."""
