"""What the pages of the Browser stand on: lists, previews, removals, uploads in parts."""
