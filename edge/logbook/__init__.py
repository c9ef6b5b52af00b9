"""What happened on the site, once each: transitions of cycles, devices and the uplink as events, and where they are kept."""
