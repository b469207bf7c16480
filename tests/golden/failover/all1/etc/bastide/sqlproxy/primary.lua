-- Which database takes writes: told by keepers, waited for by new connections. Made for one Lua state a thread: in one
-- that threads share, those that sleep are not woken (HAProxy 2.6).

-- A new connection waits for a primary instead of failing: a switchover takes a tenth of a second, a takeover after a
-- crash less than one. Nothing was sent yet, so waiting costs nobody anything.
core.register_action("await_primary", { "tcp-req" }, function(txn)
    for _ = 1, 250 do
        if txn.f:nbsrv("primary") > 0 then return end
        core.msleep(10)
    end
end)

-- One line, `db1 up`, from a keeper. What health checks find afterwards has the last word.
core.register_service("announce", "tcp", function(applet)
    local host, state = (applet:getline() or ""):match("^([%w-]+) (%a+)\n$")
    local server = host and core.backends["primary"].servers[host]
    if server and state == "up" then server:check_force_up()
    elseif server and state == "stopping" then server:check_force_nolb()
    elseif server and state == "down" then server:check_force_down()
    else return applet:send("what?\n") end
    applet:send("ok\n")
end)
