# Written by bastide from the spec of "shop"; changes here are lost.
# keepalived runs this each second, and gives the virtual address away while it fails. It fails for 4 s where this
# balancer holds the address and reaches no web server: another one may. Not again until a web server was there for 10 s,
# or after 60 s: where nobody reaches one the address comes back, and visitors are told so.
passed=/run/bastide-vrrp/passed_on
reached=/run/bastide-vrrp/reached
read -r now _ </proc/uptime
now=${now%.*}
then=
if [ -e "$passed" ]; then read -r then <"$passed"; fi

# Whoever cannot ask knows nothing: a HAProxy that is not there has a file of its own.
[ -S /run/haproxy/reach.sock ] && command -v nc.openbsd >/dev/null || exit 0
# Not curl: it takes 10 ms of a core to start, this takes 2.
said=$(printf 'GET / HTTP/1.0\r\n\r\n' | nc.openbsd -w 1 -U /run/haproxy/reach.sock 2>/dev/null)
if [ "${said#HTTP/1.? 200}" != "$said" ]; then
    if [ -n "$then" ]; then
        # keepalived wants to hear it more than once: after one look nothing has moved.
        if [ $((now - then)) -lt 2 ]; then rm -f "$passed"; fi
        if [ -e "$reached" ]; then read -r since <"$reached"; else since=$now && echo "$now" >"$reached"; fi
        [ $((now - since)) -lt 10 ] || rm -f "$passed" "$reached"
    fi
    exit 0
fi
rm -f "$reached"
if [ -n "$then" ]; then
    [ $((now - then)) -ge 4 ] || exit 1
    [ $((now - then)) -ge 60 ] || exit 0
fi
[ "$(cat /run/bastide-vrrp/haproxy_down 2>/dev/null)" = 0 ] || exit 0
ip -oneline address show to 198.18.0.5/32 | grep -q . || exit 0
logger -t keepalived -p daemon.warning "no web server is reached from here: passing 198.18.0.5/32 on"
echo "$now" >"$passed"
exit 1
