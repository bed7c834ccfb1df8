"""What the tree of design.md §2 looks like, as a file system. No kernel here, no network, no documents."""
