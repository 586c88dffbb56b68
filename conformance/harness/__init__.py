"""What the suites against real clients share: servers, observation, reporting."""
