"""A part of one's own for the simulated board: an LED that says so when it goes on and off."""

from pyasync_hw import sim


class Lamp(sim.LED):
    def on_level(self, line, level, time):
        super().on_level(line, level, time)
        if len(self.history) > 1 or self.lit:  # not that it is off at first
            print(f"({self.name} {'on' if self.lit else 'off'})", flush=True)
