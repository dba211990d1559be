"""Rules by which stages that nobody scheduled are given to the threads of a GPU."""
