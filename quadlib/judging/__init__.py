"""What an agent is worth: recordings, episodes, intervals, and what is kept of them."""
