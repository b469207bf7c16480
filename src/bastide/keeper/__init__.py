"""The keeper: a daemon beside each MariaDB that gives the server its role.

Runs on database hosts with the standard library (Python >= 3.10) and Debian's python3-pymysql; shipped as a zipapp.
`decide.py` is pure and holds every rule; the other files observe and act.
"""
