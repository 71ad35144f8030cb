-- SPDX-License-Identifier: MIT
-- What the plugins share: settings, texts and rows, operations, files.
--
--     local plugin = require 'plugin'
--     local settings = plugin.settings('greet', { word = 'hello' })
--
--     function init()
--         plugin.operation('acme_Greet', 510, function(operation, object, name)
--             srNotice(settings.word .. ', ' .. name)
--             return true
--         end)
--         return 0
--     end
--
-- Each plugin has a Lua state of its own, and so its own copy of this library.

local plugin = {}

-- --- settings ---------------------------------------------------------------------

local function check_setting(name, key, value, default)
    if default == nil then
        error(("settings.lua: %s has no setting '%s'"):format(name, key), 0)
    end
    if default ~= false and value ~= false and type(value) ~= type(default) then
        error(('settings.lua: %s.%s is a %s, and has to be a %s')
            :format(name, key, type(value), type(default)), 0)
    end
end

-- Defaults of a plugin, and over them what the module `settings` (a file settings.lua in a
-- library path) has under its name. A key that the plugin does not know is an error: a
-- misspelt `allow` must not pass for an empty one. A default of false stands for "none".
function plugin.settings(name, defaults)
    local found, all = pcall(require, 'settings')
    if not found then
        if not tostring(all):find("module 'settings' not found", 1, true) then error(all, 0) end
        all = {}
    end
    if type(all) ~= 'table' then error('settings.lua does not return a table', 0) end
    local result = {}
    for key, value in pairs(defaults) do result[key] = value end
    for key, value in pairs(all[name] or {}) do
        check_setting(name, key, value, defaults[key])
        result[key] = value
    end
    return result
end

-- --- texts and rows ------------------------------------------------------------------

local function continues(byte) return byte and byte & 0xc0 == 0x80 end

-- At most `max` bytes of the text's beginning, no character cut in two.
function plugin.cut(text, max)
    if #text <= max then return text end
    for last = max, math.max(0, max - 3), -1 do
        if not continues(text:byte(last + 1)) then return text:sub(1, last) end
    end
    return text:sub(1, max) -- this is no UTF-8
end

-- Text as the inside of a JSON string; templates put it between the quotes. Bytes that are
-- no UTF-8 become U+FFFD: for one of them the platform would refuse the whole row.
function plugin.json(text)
    return c8y:json(tostring(text))
end

-- Does a row of these values fit the SDK's limit for rows?
function plugin.fits(...)
    return (pcall(c8y.row, c8y, ...))
end

local BUFFERED = 1 -- kept over an outage

-- Sends a row that is worth keeping.
function plugin.send(...)
    return c8y:send({ ... }, BUFFERED)
end

-- This moment, as templates of type DATE want it; stamped later if the clock is not right yet.
function plugin.now()
    return c8y.now
end

-- --- operations ------------------------------------------------------------------------

local known, finished = {}, {} -- ids of operations; those that are over, oldest first
local FINISHED_MAX = 200
local REASON_MAX = 1000

local function remember(operation)
    known[operation] = true
end

-- It may be delivered once more, but not for ever.
local function let_go(operation)
    finished[#finished + 1] = operation
    if #finished > FINISHED_MAX then known[table.remove(finished, 1)] = nil end
end

-- The operation is not to be carried out by this plugin again.
function plugin.remember(operation)
    remember(operation)
    let_go(operation)
end

-- `delivered`, if given, is called once the platform has it.
function plugin.successful(operation, delivered)
    let_go(operation)
    return c8y:send({ 105, operation, 'SUCCESSFUL' }, BUFFERED, delivered)
end

function plugin.failed(operation, reason, delivered)
    let_go(operation)
    reason = plugin.cut(tostring(reason), REASON_MAX)
    srWarning(('operation %s failed: %s'):format(operation, reason))
    return c8y:send({ 106, operation, plugin.json(reason) }, BUFFERED, delivered)
end

local waiting, worker, at_work, guard = {}, nil, nil, nil
local GUARD_MS = 2000

local function carry_out(job)
    local ok, result, why = xpcall(job.run, debug.traceback)
    if not ok then
        srError(result)
        plugin.failed(job.operation, result:match('^[^\n]*'))
    elseif result == true then
        plugin.successful(job.operation)
    elseif not result then
        plugin.failed(job.operation, why or 'no reason given')
    end
end

-- One operation after the other: a later one waits while the function of one waits. If the
-- host has ended that (it ran for too long) the guard finds out.
local function work()
    if worker and coroutine.status(worker) ~= 'dead' then return end
    if worker and at_work then plugin.failed(at_work, 'the plugin was ended while it ran') end
    worker = coroutine.running()
    guard:start()
    while waiting[1] do
        local job = table.remove(waiting, 1)
        at_work = job.operation
        carry_out(job)
        at_work = nil
    end
    guard:stop()
    worker = nil
end

guard = c8y:addTimer(GUARD_MS, work)

-- The operation runs once the platform knows that it is EXECUTING, and so never twice: if
-- the device loses power before, it is still PENDING; after, it is reported as FAILED.
local function begin(job)
    remember(job.operation)
    c8y:send({ 105, job.operation, 'EXECUTING' }, BUFFERED, function(delivered, why)
        if delivered then
            waiting[#waiting + 1] = job
            work()
        else
            srWarning(('operation %s stays as it is: %s'):format(job.operation, why))
            known[job.operation] = nil
        end
    end)
end

-- `name` is what the platform calls it: 'c8y_Restart'. Response template `id` has operation,
-- object and further values; `id` + 100 the same with the status behind, for the operations
-- that the agent asks for. run(operation, object, values...) returns true; nil and a reason;
-- or 'later', and then plugin.successful() or plugin.failed() is called some time.
--
-- The platform leaves out a row of which it misses a value, and an operation without a row
-- stays PENDING for ever. So values that may be missing have response templates of their
-- own, <operation>,<value>, whose ids are in the list `values` (+ 100 when asked for): they
-- are the last arguments of run, nil for one that is missing.
function plugin.operation(name, id, run, values)
    local parts = {} -- of operations that are yet to be carried out
    values = values or {}

    local function start(operation, row)
        parts[operation] = parts[operation] or {}
        begin { operation = operation, run = function()
            local count = #row
            table.move(parts[operation], 1, #values, count + 1, row)
            parts[operation] = nil
            return run(operation, table.unpack(row, 1, count + #values))
        end }
    end

    for i, part in ipairs(values) do
        local function put(record) -- before the operation's own row, or soon behind it
            local operation = record:value(2)
            if not parts[operation] and not known[operation] then parts[operation] = {} end
            if parts[operation] then parts[operation][i] = record:value(3) end
        end
        c8y:addMsgHandler(part, put)
        c8y:addMsgHandler(part + 100, put)
    end
    c8y:addMsgHandler(id, function(record)
        local row = record:values(2)
        local operation = table.remove(row, 1)
        if not known[operation] then start(operation, row) end
    end)
    c8y:addMsgHandler(id + 100, function(record)
        local row = record:values(2)
        local operation, status = table.remove(row, 1), table.remove(row)
        if known[operation] then return end
        if status == 'EXECUTING' then -- by whom? Nobody who is still there
            remember(operation)
            parts[operation] = nil
            plugin.failed(operation, 'the agent ended while it was under way')
        else
            start(operation, row)
        end
    end)
    agent.supports(name)
end

-- --- files ----------------------------------------------------------------------------

-- The whole file, if it has at most `max` bytes; or nil, why, and whether it is not there.
function plugin.read_file(path, max)
    local file, why, errno = io.open(path, 'rb')
    if not file then return nil, why, errno == 2 end
    local text
    text, why = file:read(max or 65536)
    local more = text and file:read(1)
    file:close()
    if why then return nil, path .. ': ' .. why end
    if more then return nil, path .. ': it is too large' end
    return text or ''
end

-- The file behind a symbolic link, which need not be there.
local function target_of(path)
    if not c8y.run then return path end
    local target, status = c8y:run { 'readlink', '-f', path }
    return status == 0 and target:gsub('\n$', '') or path
end

-- Replaces the file at once or not at all; owner and mode stay, and so does a symbolic link. (Where
-- processes are denied, neither.) True, or nil and why.
function plugin.write_file(path, text)
    path = target_of(path)
    local beside = path .. '.new'
    if c8y.run then c8y:run({ 'cp', '-p', path, beside }) end -- for owner and mode, if it is there
    local file, why = io.open(beside, 'wb')
    if not file then return nil, why end
    local ok
    ok, why = file:write(text)
    if ok then ok, why = file:close() else file:close() end
    if ok then ok, why = os.rename(beside, path) end
    if not ok then os.remove(beside) end
    return ok and true or nil, why
end

return plugin
