"""The Open Inference Protocol: routes, schemas, tensors as JSON and as bytes."""
