"""The receiving end of apply. Runs on hosts: standard library only, Python 3.10 or newer, shipped as a zipapp."""
