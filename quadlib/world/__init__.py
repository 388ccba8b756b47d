"""The robot and its world: motors, sensors, rewards, and the environment made of them."""
