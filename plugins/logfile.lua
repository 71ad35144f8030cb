-- SPDX-License-Identifier: MIT
-- logfile: carries out c8y_LogfileRequest: the lines of a log between two times, with a
-- search text if one is given, the last of them if they are too many. They go up as a file
-- whose URL is put into the operation, or as the text of an event.
--
-- A line's time is at its beginning: 2026-11-22T20:45:00[.123][Z|+01:00] (a blank for the T
-- as well), or that of syslog, Nov 22 20:45:00. Without a zone it is local time. A line
-- without a time belongs to the one before; a log without any is sent whatever the times.
--
-- settings.lua:  logfile = { logs = { syslog = '/var/log/syslog', agent = '/var/log/me.log' } }
--
--     logs        name in the platform -> file. Default: syslog = '/var/log/syslog'
--     upload      'binary' or 'event'; an event holds some 10 KB, and the operation says when
--                 lines were left out. Default: 'binary'
--     max_bytes   of what is sent; the oldest lines go. Default: 1 MiB

local plugin = require 'plugin'

local settings = plugin.settings('logfile', {
    logs = { syslog = '/var/log/syslog' },
    upload = 'binary',
    max_bytes = 1024 * 1024
})

local LINES_AT_A_STRETCH = 1000 -- then others may run

-- --- times: seconds since 1970 -----------------------------------------------------------

-- Days since 1970 of a date of the Gregorian calendar.
local function days(year, month, day)
    if month <= 2 then year, month = year - 1, month + 12 end
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
end

-- The C library knows when clocks are put forward and back.
local function local_time(year, month, day, hour, minute, second)
    return os.time { year = year, month = month, day = day, hour = hour, min = minute, sec = second }
end

-- Seconds; or nil.
local function iso_time(text)
    local y, mo, d, h, mi, s, rest =
        text:match('^(%d%d%d%d)%-(%d%d)%-(%d%d)[T ](%d%d):(%d%d):(%d%d)(.*)')
    if not y then return nil end
    y, mo, d, h, mi, s = tonumber(y), tonumber(mo), tonumber(d), tonumber(h), tonumber(mi), tonumber(s)
    local zone = rest:gsub('^[.,]%d+', '')
    local sign, zh, zm = zone:match('^([+-])(%d%d):?(%d%d)')
    if not sign and zone:sub(1, 1) ~= 'Z' then return local_time(y, mo, d, h, mi, s) end
    local at = days(y, mo, d) * 86400 + h * 3600 + mi * 60 + s
    local ahead = sign and tonumber(zh) * 3600 + tonumber(zm) * 60 or 0
    return sign == '-' and at + ahead or at - ahead
end

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
    Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

-- The year is the latest in which it is not in the future, but for a day of clocks that
-- differ.
local function syslog_time(text, now)
    local month, d, h, mi, s = text:match('^(%a%a%a) +(%d+) (%d%d):(%d%d):(%d%d)')
    month = months[month]
    if not month then return nil end
    d, h, mi, s = tonumber(d), tonumber(h), tonumber(mi), tonumber(s)
    local year = os.date('*t', now).year + 1
    local at
    repeat
        at = local_time(year, month, d, h, mi, s)
        year = year - 1
    until at <= now + 86400
    return at
end

-- A time of the request: seconds, or nil and why. None is `otherwise`.
local function asked_time(text, otherwise)
    if not text or text == '' then return otherwise end
    local at = iso_time(text)
    if at then return at end
    return nil, ("'%s' is not a time"):format(text)
end

-- --- picking lines -------------------------------------------------------------------------

-- The last lines that were added, within two bounds.
local function new_tail(max_lines, max_bytes)
    local lines, first, last, bytes = {}, 1, 0, 0
    local tail = {}
    function tail.add(line)
        last = last + 1
        lines[last] = line
        bytes = bytes + #line
        while last - first + 1 > max_lines or bytes > max_bytes do
            bytes = bytes - #lines[first]
            lines[first] = nil
            first = first + 1
        end
    end
    function tail.text() return table.concat(lines, '', first, last) end
    return tail
end

-- The wanted lines of the file; or nil and why. wanted(time, line) decides.
local function pick(path, wanted, tail)
    local file, why = io.open(path, 'rb')
    if not file then return nil, why end
    local now, at, n = os.time(), nil, 0
    for line in file:lines('L') do
        at = iso_time(line) or syslog_time(line, now) or at
        if wanted(at, line) then tail.add(line) end
        n = n + 1
        if n % LINES_AT_A_STRETCH == 0 then c8y:sleep(0) end
    end
    file:close()
    return tail.text()
end

-- --- sending them ------------------------------------------------------------------------------

-- The file's URL; or nil and why.
local function upload(name, text)
    local size, why = c8y:post(name .. '.log', 'text/plain', text)
    if size < 0 then return nil, 'the upload failed: ' .. why end
    local id = c8y.resp:match('"id"%s*:%s*"([%w_-]+)"') or c8y.resp:match('^%s*([%w_-]+)%s*$')
    if not id then return nil, 'the platform did not name the uploaded file' end
    return c8y.server:gsub('/+$', '') .. '/inventory/binaries/' .. id
end

-- The lines of the text that are within its last `max` bytes.
local function last_lines(text, max)
    if #text <= max then return text end
    local rest = text:sub(-max)
    return text:sub(-max - 1, -max - 1) == '\n' and rest or rest:match('\n(.*)$') or ''
end

-- An event is a row, and has its limit.
local function send_event(name, text)
    local at, max = plugin.now(), #text
    local function values()
        return 122, at, c8y.ID, plugin.json(name), plugin.json(last_lines(text, max))
    end
    while max > 0 and not plugin.fits(values()) do max = max * 3 // 4 end
    plugin.send(values())
    return max < #text and ('the last %d of %d bytes'):format(#last_lines(text, max), #text) or ''
end

-- --- the operation ---------------------------------------------------------------------------

local function send_log(operation, _, name, from, to, search, lines)
    if not name then return nil, 'the operation does not say which log: it has no logFile' end
    local path = settings.logs[name]
    search = search or ''
    if not path then return nil, ("there is no log '%s'"):format(name) end
    local first, why = asked_time(from, -math.huge)
    if not first then return nil, why end
    local last
    last, why = asked_time(to, math.huge)
    if not last then return nil, why end
    local count = math.max(1, math.tointeger(tonumber(lines)) or 1000)

    local text
    text, why = pick(path, function(at, line)
        return (not at or at >= first and at <= last) and line:find(search, 1, true)
    end, new_tail(count, settings.max_bytes))
    if not text then return nil, why end

    local file, note = '', ''
    if settings.upload == 'event' then
        note = send_event(name, text)
    else
        file, why = upload(name, text)
        if not file then return nil, why end
    end
    plugin.send(121, operation, plugin.json(name), plugin.json(from or ''), plugin.json(to or ''),
        plugin.json(search), count, plugin.json(file), plugin.json(note))
    plugin.remember(operation)
    return 'later' -- the row has its status
end

function init()
    if settings.upload ~= 'binary' and settings.upload ~= 'event' then
        srError("settings.lua: logfile.upload is 'binary' or 'event'")
        return -1
    end
    local names = {}
    for name in pairs(settings.logs) do names[#names + 1] = '"' .. plugin.json(name) .. '"' end
    table.sort(names)
    plugin.send(120, c8y.ID, table.concat(names, ','))
    plugin.operation('c8y_LogfileRequest', 503, send_log, { 520, 521, 522, 523, 524 })
    return 0
end
