"""What MicroPython's modules of the hardware are made of: pins, buses, timers and their callbacks,
over our devices."""
