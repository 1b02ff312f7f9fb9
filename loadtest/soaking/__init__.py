"""Parts of the soak: the server and who disturbs it, samples of it, and what they add up to."""
