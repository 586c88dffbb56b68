"""Real clients through one scenario, over every dialect and algorithm they can be told to use."""
