"""Taking what the gateways send: decoding, the worker, its writer, and several workers at a time."""
