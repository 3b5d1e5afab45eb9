"""What a file says of its picture: read, cut down by a policy, written again."""
