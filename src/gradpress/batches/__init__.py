"""Many pictures: which, where to, by how many processes."""
