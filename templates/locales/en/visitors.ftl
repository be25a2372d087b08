# What visitors are told who may not see or do something.

error-too_many_requests = Too many requests from your address; wait a moment and reload.
error-hidden = This site shows neither money nor viewers in public. Sign in on the admin page to see all.
error-read_only = This key may read, but change nothing.
