"""What an id is: of an account, of a key, of whatever else people name in a configuration."""

from __future__ import annotations

import re

ID = re.compile(r"[A-Za-z0-9._@+-]{1,128}", re.ASCII)
ID_RULE = "an id has 1 to 128 of the characters A-Z a-z 0-9 . _ @ + -"
