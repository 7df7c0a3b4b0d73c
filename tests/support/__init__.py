"""What several test suites share: fakes, servers, small models, generated files."""
