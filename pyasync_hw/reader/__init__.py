"""What is behind rc522: how its verbs reach the chip, and what goes wrong with it."""
