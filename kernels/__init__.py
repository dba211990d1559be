"""The operator library: definitions, schedules by target and numpy references, by family of operators."""
