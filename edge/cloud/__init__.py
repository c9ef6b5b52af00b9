"""What leaves this gateway: topics, codec, the MQTT link."""
