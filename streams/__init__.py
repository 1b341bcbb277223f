"""What happens to an event: Kafka in, state in Redis, transitions out."""
