"""A real Kafka and a real Redis on this machine, without Docker, Java or a Redis of the user's.

`streams.local.stack` is the way in: `up`, `down` and `running`.
"""
