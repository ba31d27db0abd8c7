"""Pages made from the recorded results: their tables in Markdown, their figures."""
