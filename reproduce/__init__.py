"""Published results: the tables' rows, their training and recording, and the pages made from what is recorded."""
