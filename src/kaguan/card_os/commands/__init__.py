"""One file a command family. A handler is `(view, command) -> Outcome` and plans its writes; it never does them."""
