class Sensor:
    """Something that is measured, and shown on the page."""

    def __init__(self, name):
        self.name = name

    async def measure(self):
        raise NotImplementedError

    def values(self):
        """Pairs of what and how much, or None where nothing was measured yet."""
        raise NotImplementedError
