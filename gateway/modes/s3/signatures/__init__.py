"""Who asks: what a request says of its signature (`claims`), whether that is so (`auth`), and why
it is not (`diagnosis`, which tries the `suspects`)."""
