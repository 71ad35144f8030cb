-- SPDX-License-Identifier: MIT
-- metrics: CPU, memory, disk, network and load as measurements, from /proc and df.
--
-- settings.lua:  metrics = { interval = 300, disk = '/data', interfaces = { 'eth0' } }
--
--     interval     seconds. Default: 60
--     disk         a path on the file system to measure; false: none. Default: '/'
--     interfaces   their names; false: all but the loopback. Default: false
--
-- The first CPU value is that since the system has been started, each further one, and all
-- of the network, are those of an interval. "MB" are MiB, as the platform's users expect.

local plugin = require 'plugin'

local settings = plugin.settings('metrics', {
    interval = 60,
    disk = '/',
    interfaces = false
})

local FILE_MAX = 1024 * 1024 -- /proc/stat and /proc/net/dev can be long

local function lines_of(path)
    local text = plugin.read_file(path, FILE_MAX) or ''
    return text:gmatch('[^\n]+')
end

local function send(id, ...)
    plugin.send(id, plugin.now(), c8y.ID, ...)
end

-- --- CPU: busy share of the time since the last look, in percent ------------------------

local last_busy, last_total = 0, 0

local function cpu()
    local line = lines_of('/proc/stat')() or ''
    local total, idle, n = 0, 0, 0
    for ticks in line:gmatch('%d+') do
        n = n + 1
        if n > 8 then break end -- guest time is in user time already
        total = total + tonumber(ticks)
        if n == 4 or n == 5 then idle = idle + tonumber(ticks) end
    end
    local busy, passed = total - idle - last_busy, total - last_total
    last_busy, last_total = total - idle, total
    if passed > 0 then
        send(110, ('%.1f'):format(math.max(0, math.min(100, 100 * busy / passed))))
    end
end

-- --- memory, in MiB ------------------------------------------------------------------------

local function memory()
    local kib = {}
    for line in lines_of('/proc/meminfo') do
        local name, value = line:match('^(%w+):%s+(%d+) kB')
        if name then kib[name] = tonumber(value) end
    end
    local free = kib.MemAvailable or (kib.MemFree or 0) + (kib.Buffers or 0) + (kib.Cached or 0)
    if kib.MemTotal then
        send(111, ('%.1f'):format((kib.MemTotal - free) / 1024),
            ('%.1f'):format(kib.MemTotal / 1024))
    end
end

-- --- disk, in MiB ----------------------------------------------------------------------------

local function disk()
    if not settings.disk or not c8y.run then return end
    local output = c8y:run({ 'df', '-Pk', '--', settings.disk }, { timeout = 30 })
    local total, used = (output or ''):match('\n.-%s(%d+)%s+(%d+)%s+%d+%s+%d+%%')
    if total then
        send(112, ('%.1f'):format(used / 1024), ('%.1f'):format(total / 1024))
    else
        srWarning('no disk space: ' .. (output or 'df could not be started'))
    end
end

-- --- network, in bytes a second ---------------------------------------------------------------

local last_bytes, last_seconds = {}, nil

local function wanted(name)
    if not settings.interfaces then return name ~= 'lo' end
    for _, each in ipairs(settings.interfaces) do
        if each == name then return true end
    end
    return false
end

-- Seconds that no clock being set changes.
local function uptime()
    return tonumber((plugin.read_file('/proc/uptime') or '0'):match('^[%d.]+'))
end

-- A part of the name of a series; the platform stores no dots in it.
local function series(name)
    return plugin.json((name:gsub('[.$]', '_')))
end

local function network()
    local now = uptime()
    local seconds = last_seconds and now - last_seconds
    for line in lines_of('/proc/net/dev') do
        local name, rest = line:match('^%s*([^:%s]+):(.*)')
        if name and wanted(name) then
            local fields = {}
            for value in rest:gmatch('%d+') do fields[#fields + 1] = tonumber(value) end
            local rx, tx, last = fields[1], fields[9], last_bytes[name]
            if last and seconds and seconds > 0 and rx >= last.rx and tx >= last.tx then
                send(113, series(name), ('%.1f'):format((rx - last.rx) / seconds),
                    series(name), ('%.1f'):format((tx - last.tx) / seconds))
            end
            last_bytes[name] = { rx = rx, tx = tx }
        end
    end
    last_seconds = now
end

-- --- load ------------------------------------------------------------------------------------------

local function load_average()
    local text = plugin.read_file('/proc/loadavg') or ''
    local one, five, fifteen = text:match('^([%d.]+) ([%d.]+) ([%d.]+)')
    if one then send(114, one, five, fifteen) end
end

function measure()
    cpu()
    memory()
    network()
    load_average()
    disk() -- the only one that waits
end

function init()
    if settings.interval < 1 then
        srError('settings.lua: metrics.interval is less than 1 s')
        return -1
    end
    measure()
    c8y:addTimer(settings.interval * 1000, 'measure'):start()
    return 0
end
