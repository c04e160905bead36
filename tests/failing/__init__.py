"""Each allocation and system call that we make fails once: nothing breaks."""
