"""What this mode calls what it does, in change feeds: by these its notifications tell events
apart. What has none is a plain PUT or DELETE, through whichever door."""

COPY = "copy"
FORM = "form"
LIFECYCLE = "lifecycle"
