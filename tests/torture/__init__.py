"""Long trials of what the tool promises under kills, faults and attacks: `make torture`."""
