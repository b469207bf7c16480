"""What `bastide verify` runs on a host for the length of one question; standard library only, and nothing stays behind."""
