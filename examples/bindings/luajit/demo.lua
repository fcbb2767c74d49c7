-- A timer, a socket and a queue, each of which sets the next one going:
--
--     after 10 ms the timer's callback sends a line through a socket;
--     the watcher of its other end reads the line, and its words are put into a queue one by one;
--     the consumer at the queue's other end prints them, and starts the timer again after the last.

local folder = arg[0]:match "(.*/)" or ""
package.path = folder .. "?.lua;" .. package.path

local aiol = require "aiol"
local ffi = require "ffi"

ffi.cdef [[
int socketpair(int domain, int type, int protocol, int fds[2]);
]]
local AF_UNIX, SOCK_STREAM = 1, 1 -- Linux's

local lines = {"one loop", "a timer and a socket", "and a queue"}

local fds = ffi.new "int[2]"
assert(ffi.C.socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
local here, there = fds[0], fds[1]

local loop = aiol.loop()
local queue = loop:queue(1)
local words = {} -- that were read and are not yet put
local timer, watcher, putter, getter

timer = loop:timer(function()
    local line = table.remove(lines, 1)
    if line then
        print "timer: sends a line"
        loop:send(here, line)
    else
        print "timer: no more lines"
        loop:close_fd(here)
    end
end)

watcher = loop:watcher(there, function(self)
    local line = loop:recv(there, 1000)
    if line == "" then
        print "socket: at its end"
        self:close()
        loop:close_fd(there)
        queue:shutdown()
    elseif line then
        print("socket: read '" .. line .. "'")
        for word in line:gmatch "%S+" do
            table.insert(words, word)
        end
        putter:start(table.remove(words, 1))
    end
end)

putter = queue:putter(function(self)
    if words[1] then
        self:start(table.remove(words, 1))
    end
end)

getter = queue:getter(function(self, status, word)
    if status == aiol.ECLOSED then
        print "queue: shut down and empty"
        return
    end
    print("queue: got '" .. word .. "'")
    queue:done()
    if not words[1] and queue:unfinished() == 0 then
        timer:start(0.01)
    end
    self:start()
end)

timer:start(0.01)
watcher:start(aiol.READABLE)
getter:start()
loop:run()
print "loop: nothing is left to do"
loop:close()
