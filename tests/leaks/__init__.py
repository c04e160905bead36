"""What an operation leaves behind when it is done many times: nothing."""
