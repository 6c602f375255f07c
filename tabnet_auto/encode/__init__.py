"""pandas in, numbers out: the only room that knows both frames and encoded features."""
