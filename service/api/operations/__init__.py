"""What operators ask: health, metrics, the OpenAPI document."""
