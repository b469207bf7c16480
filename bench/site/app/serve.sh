#!/bin/sh
# An application that costs nothing: nginx with one kilobyte in its configuration. What is measured is the way to it.
exec /usr/sbin/nginx -e stderr -p /tmp -c "$PWD/serve.conf"
