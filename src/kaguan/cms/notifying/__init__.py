"""How notices leave the outbox: signed, over HTTP, again and again until they are taken or refused."""
