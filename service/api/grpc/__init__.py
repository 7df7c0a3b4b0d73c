"""The Open Inference Protocol and the health protocol over gRPC.

A call is answered by the application of HTTP, as a request whose path is the name of its method:
queue, limits, keys, deadlines, ids of requests, log, metrics and traces are the same. The folder is
imported only if the settings name a port for gRPC, and then needs the extra ``grpc``.
"""
