"""What leaves a gateway, lane by lane: the pace of the backlog, what has arrived, what is sent again, events."""
