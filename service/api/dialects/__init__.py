"""Routes that speak the contracts of other servers, one server a file or folder."""
