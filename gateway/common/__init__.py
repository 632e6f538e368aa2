"""What the gateway and its drivers both use, and what is no part of the contract: forms of
text that one side writes and the other reads, and what is of this machine: its files, their
rights, and what it refuses. It imports the contract and nothing else."""
