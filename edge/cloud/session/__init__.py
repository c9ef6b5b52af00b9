"""One MQTT session on one socket: what lies between the link and paho."""
