"""Models on clusters, with Spark and Ray: found once, loaded once in each process.

Neither engine is imported before a function of it is called. Imports the scores and all below.
"""
