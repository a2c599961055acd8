"""Where the service keeps pictures: blobs by the hash of their content, and the key of a result."""
