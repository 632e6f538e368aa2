"""What the gateway and its drivers both use, and what is no part of the contract: forms of
text that one side writes and the other reads. It imports the contract and nothing else."""
