"""The contract of Amazon SageMaker for containers: routes, bodies of lines, answers of lines."""
