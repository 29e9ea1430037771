-- Calls of C from LuaJIT: luajit.lua LIBRARY. Nanoseconds for each turn of a loop.
local ffi = require("ffi")
ffi.cdef [[
double now(void);
int add(int, int);
int first(const char *);
int first_of(const void *, size_t);
int fails(void);
long each(int, int (*)(int));
size_t strlen(const char *);
]]
local C = ffi.load(arg[1])

local function time_of(run, n)
    local began = C.now()
    run(n)
    return C.now() - began
end

-- As many turns as take 20 ms, seven times; the least counts.
local function measure(name, run)
    local n = 1
    while time_of(run, n) < 2e7 do
        n = n * 2
    end
    local least = math.huge
    for _ = 1, 7 do
        least = math.min(least, time_of(run, n) / n)
    end
    print(name .. "=" .. least)
end

assert(C.add(2, 3) == 5 and C.fails() == -1)
measure("loop", function(n) local x = 0 for i = 1, n do x = x + i end return x end)
measure("add", function(n) local x = 0 for i = 1, n do x = x + C.add(i, 1) end return x end)
measure("errno", function(n)
    local x = 0
    for i = 1, n do
        C.fails()
        x = x + ffi.errno()
    end
    assert(x == 2 * n)
end)
for name, size in pairs { ["16"] = 16, ["4k"] = 4096, ["1m"] = 1048576 } do
    local text = string.rep("a", size)
    local bytes = ffi.new("uint8_t[?]", size)
    bytes[0] = 7
    assert(tonumber(ffi.C.strlen(text)) == size and C.first(text) == 97 and C.first_of(bytes, size) == 7)
    measure("string_" .. name, function(n) local x = 0 for i = 1, n do x = x + C.first(text) end return x end)
    measure("strlen_" .. name, function(n)
        local x = 0
        for i = 1, n do x = x + tonumber(ffi.C.strlen(text)) end
        return x
    end)
    measure("buffer_" .. name, function(n) local x = 0 for i = 1, n do x = x + C.first_of(bytes, 1) end return x end)
end

-- A function that calls back must not be called by compiled code.
local kind = ffi.typeof("int (*)(int)")
local function back(i) return i + 1 end
local kept = ffi.cast(kind, back)
local function each_kept(n) return tonumber(C.each(n, kept)) end
local function each_lent(n)
    local lent = ffi.cast(kind, back)
    local sum = tonumber(C.each(n, lent))
    lent:free()
    return sum
end
local function made()
    ffi.cast(kind, back):free()
end
jit.off(each_kept)
jit.off(each_lent)
assert(each_kept(1000) == 500500 and each_lent(1000) == 500500)
measure("callbacks", function(n) for _ = 1, n do each_lent(1000) end end)
measure("kept", function(n) for _ = 1, n do each_kept(1000) end end)
measure("lend", function(n) for _ = 1, n do each_lent(1) end end)
measure("made", function(n) for _ = 1, n do made() end end)
