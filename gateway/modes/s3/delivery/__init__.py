"""What buckets tell others, behind the requests: events to webhooks, and access logs."""
