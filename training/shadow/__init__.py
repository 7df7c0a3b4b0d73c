"""The evidence of shadow scoring: read from the metrics of servers, and told in figures."""
