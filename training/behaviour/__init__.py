"""Behaviour tests in the manner of CheckList (Ribeiro et al., ACL 2020): see :mod:`.suite`."""
