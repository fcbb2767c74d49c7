-- libaio-loop for LuaJIT, by its ffi alone: loops, timers, watched descriptors, queues.
-- README.md beside this file says what a binding has to see to, and where it is seen to here.

local ffi = require "ffi"

-- As the headers of the library have it.
ffi.cdef [[
struct aiol_loop;
struct aiol_loop_options;
struct aiol_timer;
struct aiol_io;
struct aiol_queue;
struct aiol_queue_getter;
struct aiol_queue_putter;

typedef void (*aiol_timer_fn)(struct aiol_timer *timer, void *data);
typedef void (*aiol_io_fn)(struct aiol_io *io, uint32_t ready, void *data);
typedef void (*aiol_queue_destroy_fn)(void *item);
typedef void (*aiol_queue_getter_fn)(struct aiol_queue_getter *getter, int status, void *item,
                                     void *data);
typedef void (*aiol_queue_putter_fn)(struct aiol_queue_putter *putter, int status, void *item,
                                     void *data);

const char *aiol_error_name(int error);
const char *aiol_error_message(int error);

int aiol_loop_new(const struct aiol_loop_options *options, struct aiol_loop **ret_loop);
int aiol_loop_free(struct aiol_loop *loop);
int aiol_loop_run(struct aiol_loop *loop);
void aiol_loop_stop(struct aiol_loop *loop);
uint64_t aiol_loop_now_ns(const struct aiol_loop *loop);

int aiol_timer_new(struct aiol_loop *loop, aiol_timer_fn callback, void *data,
                   struct aiol_timer **ret_timer);
void aiol_timer_free(struct aiol_timer *timer);
int aiol_timer_start(struct aiol_timer *timer, uint64_t after_ns);
int aiol_timer_start_every(struct aiol_timer *timer, uint64_t period_ns, uint32_t repeat);
void aiol_timer_stop(struct aiol_timer *timer);

int aiol_io_new(struct aiol_loop *loop, int fd, aiol_io_fn callback, void *data,
                struct aiol_io **ret_io);
void aiol_io_free(struct aiol_io *io);
int aiol_io_start(struct aiol_io *io, uint32_t events);
void aiol_io_stop(struct aiol_io *io);

int64_t aiol_fd_recv(struct aiol_loop *loop, int fd, void *buffer, size_t size_bytes);
int64_t aiol_fd_send(struct aiol_loop *loop, int fd, const void *buffer, size_t size_bytes);
int aiol_fd_close(struct aiol_loop *loop, int fd);

int aiol_queue_new(struct aiol_loop *loop, size_t capacity, aiol_queue_destroy_fn destroy,
                   struct aiol_queue **ret_queue);
void aiol_queue_free(struct aiol_queue *queue);
int aiol_queue_shutdown(struct aiol_queue *queue, uint32_t how);
int aiol_queue_done(struct aiol_queue *queue);
uint64_t aiol_queue_unfinished(const struct aiol_queue *queue);

int aiol_queue_getter_new(struct aiol_queue *queue, aiol_queue_getter_fn callback, void *data,
                          struct aiol_queue_getter **ret_getter);
int aiol_queue_getter_free(struct aiol_queue_getter *getter);
int aiol_queue_getter_start(struct aiol_queue_getter *getter);
int aiol_queue_getter_stop(struct aiol_queue_getter *getter, void **ret_item);

int aiol_queue_putter_new(struct aiol_queue *queue, aiol_queue_putter_fn callback, void *data,
                          struct aiol_queue_putter **ret_putter);
int aiol_queue_putter_free(struct aiol_queue_putter *putter);
int aiol_queue_putter_start(struct aiol_queue_putter *putter, void *item);
int aiol_queue_putter_stop(struct aiol_queue_putter *putter);
]]

local C = ffi.load(os.getenv "AIOL_LIBRARY" or "libaio-loop.so.0")

local aiol = {
    READABLE = 1, WRITABLE = 2, HANGUP = 4, ERROR = 8,
    FIXED_RATE = 0, FIXED_DELAY = 1,
    QUEUE_DRAIN = 0, QUEUE_NOW = 1,
    ECLOSED = -10001,
    SECOND = 1000000000,
}

-- Raises what a call of the library says when it fails, else returns it.
local function check(code)
    code = tonumber(code)
    if code < 0 then
        local name = ffi.string(C.aiol_error_name(code))
        error(name .. ": " .. ffi.string(C.aiol_error_message(code)), 2)
    end
    return code
end

-- C knows an object of this module, and an item in a queue, by a number: the `data` of its
-- callbacks. These tables say which it is, and keep it alive as long as C may call.
local objects, items = {}, {}
local last_number = 0

local function new_number()
    last_number = last_number + 1
    return last_number
end

local function to_pointer(number)
    return ffi.cast("void *", ffi.cast("uintptr_t", number))
end

local function to_number(pointer)
    return tonumber(ffi.cast("uintptr_t", pointer))
end

local function take_item(pointer)
    local number = to_number(pointer)
    local item = items[number]
    items[number] = nil
    return item
end

-- Calls back an object; an error must not pass through C, so that Loop:run() raises it.
local function deliver(data, ...)
    local object = objects[to_number(data)]
    local ok, failure = xpcall(object.callback, debug.traceback, object, ...)
    if not ok then
        object.loop:fail(failure)
    end
end

-- The one C function for all callbacks of its type. There is room for some hundreds of them, and
-- none is ever collected, so a callback for each object would be too many.
local on_timer = ffi.cast("aiol_timer_fn", function(_, data)
    deliver(data)
end)
local on_ready = ffi.cast("aiol_io_fn", function(_, ready, data)
    deliver(data, ready)
end)
local on_get = ffi.cast("aiol_queue_getter_fn", function(_, status, item, data)
    deliver(data, status, take_item(item))
end)
local on_put = ffi.cast("aiol_queue_putter_fn", function(_, status, item, data)
    deliver(data, status, take_item(item))
end)
local on_destroy = ffi.cast("aiol_queue_destroy_fn", take_item)

-- Objects: C calls them back, or would have to be told to forget them, until they are closed.

local Loop, Timer, Watcher, Queue, Getter, Putter = {}, {}, {}, {}, {}, {}

-- All that a closed object can do. (To ffi a pointer that is nil would be NULL.)
local Closed = {close = function() end}
setmetatable(Closed, {__index = function(_, name) error(name .. ": this object is closed", 2) end})

-- An object of a class; new(data, ret_pointer) makes what C knows of it.
local function make(class, pointer_type, loop, callback, new)
    local number = new_number()
    local ret_pointer = ffi.new(pointer_type .. "[1]")
    check(new(to_pointer(number), ret_pointer))
    local object = {loop = loop, callback = callback, number = number, pointer = ret_pointer[0]}
    objects[number] = setmetatable(object, {__index = class})
    return object
end

local function close(object, free)
    free(object.pointer)
    object.pointer = nil
    objects[object.number] = nil
    setmetatable(object, {__index = Closed})
end

local function nanoseconds(seconds)
    return math.max(0, seconds) * aiol.SECOND
end

function aiol.loop()
    local ret_loop = ffi.new("struct aiol_loop *[1]")
    check(C.aiol_loop_new(nil, ret_loop))
    return setmetatable({pointer = ret_loop[0]}, {__index = Loop})
end

-- Turns until there is nothing left to wait for, or stop(). An error in a callback is raised here,
-- at the end of the turn.
function Loop:run()
    local result = C.aiol_loop_run(self.pointer)
    local failure = self.failure
    self.failure = nil
    if failure then
        error(failure, 0)
    end
    check(result)
end

function Loop:stop()
    C.aiol_loop_stop(self.pointer)
end

-- The loop's clock, in seconds.
function Loop:now()
    return tonumber(C.aiol_loop_now_ns(self.pointer)) / aiol.SECOND
end

-- Have run() end, and raise this; the first one counts.
function Loop:fail(failure)
    self.failure = self.failure or failure
    self:stop()
end

-- What a socket has for us, up to `size` bytes: nil when that is nothing yet, "" at its end.
function Loop:recv(fd, size)
    local buffer = ffi.new("char[?]", size)
    local result = tonumber(C.aiol_fd_recv(self.pointer, fd, buffer, size))
    if result < 0 and ffi.string(C.aiol_error_name(result)) == "EAGAIN" then
        return nil
    end
    return ffi.string(buffer, check(result))
end

-- Returns how many bytes of the text the socket took.
function Loop:send(fd, text)
    return check(C.aiol_fd_send(self.pointer, fd, text, #text))
end

function Loop:close_fd(fd)
    check(C.aiol_fd_close(self.pointer, fd))
end

-- Closes what was made on it and is still open, the latest first, and the loop.
function Loop:close()
    local own = {}
    for _, object in pairs(objects) do
        if object.loop == self then
            table.insert(own, object)
        end
    end
    table.sort(own, function(one, other) return one.number > other.number end)
    for _, object in ipairs(own) do
        object:close()
    end
    check(C.aiol_loop_free(self.pointer))
    setmetatable(self, {__index = Closed})
end

function Loop:timer(callback)
    return make(Timer, "struct aiol_timer *", self, callback, function(data, ret_timer)
        return C.aiol_timer_new(self.pointer, on_timer, data, ret_timer)
    end)
end

-- Calls back once.
function Timer:start(seconds)
    check(C.aiol_timer_start(self.pointer, nanoseconds(seconds)))
end

function Timer:start_every(seconds, repeat_from)
    local from = repeat_from or aiol.FIXED_RATE
    check(C.aiol_timer_start_every(self.pointer, nanoseconds(seconds), from))
end

function Timer:stop()
    C.aiol_timer_stop(self.pointer)
end

function Timer:close()
    close(self, C.aiol_timer_free)
end

-- Calls back with what the descriptor is ready for, as long as it is. Close it before the
-- descriptor.
function Loop:watcher(fd, callback)
    return make(Watcher, "struct aiol_io *", self, callback, function(data, ret_io)
        return C.aiol_io_new(self.pointer, fd, on_ready, data, ret_io)
    end)
end

function Watcher:start(events)
    check(C.aiol_io_start(self.pointer, events))
end

function Watcher:stop()
    C.aiol_io_stop(self.pointer)
end

function Watcher:close()
    close(self, C.aiol_io_free)
end

-- A queue for any values, from putters to getters.
function Loop:queue(capacity)
    return make(Queue, "struct aiol_queue *", self, nil, function(_, ret_queue)
        return C.aiol_queue_new(self.pointer, capacity, on_destroy, ret_queue)
    end)
end

-- One item that was got has been dealt with.
function Queue:done()
    check(C.aiol_queue_done(self.pointer))
end

-- How many items were put and are not done.
function Queue:unfinished()
    return tonumber(C.aiol_queue_unfinished(self.pointer))
end

function Queue:shutdown(how)
    check(C.aiol_queue_shutdown(self.pointer, how or aiol.QUEUE_DRAIN))
end

function Queue:close()
    close(self, C.aiol_queue_free)
end

-- Gets one item at each start: calls back with (0, item), or (ECLOSED, nil).
function Queue:getter(callback)
    return make(Getter, "struct aiol_queue_getter *", self.loop, callback, function(data, ret)
        return C.aiol_queue_getter_new(self.pointer, on_get, data, ret)
    end)
end

function Getter:start()
    check(C.aiol_queue_getter_start(self.pointer))
end

-- Returns the item, if it was given one that has not yet been delivered.
function Getter:stop()
    local ret_item = ffi.new("void *[1]")
    if C.aiol_queue_getter_stop(self.pointer, ret_item) == 1 then
        return take_item(ret_item[0])
    end
end

function Getter:close()
    self:stop() -- it is not freed while it may hold an item
    close(self, C.aiol_queue_getter_free)
end

-- Puts one item at each start: calls back with (0, nil), or (ECLOSED, item).
function Queue:putter(callback)
    return make(Putter, "struct aiol_queue_putter *", self.loop, callback, function(data, ret)
        return C.aiol_queue_putter_new(self.pointer, on_put, data, ret)
    end)
end

function Putter:start(item)
    local number = new_number()
    items[number] = item
    local result = C.aiol_queue_putter_start(self.pointer, to_pointer(number))
    if result < 0 then
        items[number] = nil
        check(result)
    end
    self.item = number
end

-- Returns whether the item that it was to put has not been put.
function Putter:stop()
    local is_withdrawn = C.aiol_queue_putter_stop(self.pointer) == 0
    if is_withdrawn then
        items[self.item] = nil
    end
    return is_withdrawn
end

function Putter:close()
    self:stop()
    close(self, C.aiol_queue_putter_free)
end

-- What calls C that may call back must not be compiled: callbacks cannot enter compiled code.
jit.off(Loop.run)
jit.off(Queue.shutdown) -- calls on_destroy
jit.off(close) -- so does freeing a queue, and it tells its getters and putters

return aiol
