"""What programs find that reach into asyncio's private parts of a loop."""
