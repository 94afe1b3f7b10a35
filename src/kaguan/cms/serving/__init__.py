"""How the web API is run: by a server with threads, over TLS or behind a proxy."""
