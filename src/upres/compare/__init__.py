"""Looking at two pictures of one scene: a page with a slider, or one picture side by side."""
